/** Replies on the page, as the terminal prints them, in colours. */

import { make } from "../dom.ts";
import type { RespNode } from "../engine/resp.ts";
import { formatReply, type Tone } from "../terminal/format.ts";

/** Marks around a painted piece; replies have no such characters of their own once they are printed. */
const FROM = "\ue000";
const BETWEEN = "\ue001";
const TO = "\ue002";
const PIECE = new RegExp(`${FROM}(\\w+)${BETWEEN}([^${TO}]*)${TO}`);

const paint = (tone: Tone, text: string) => `${FROM}${tone}${BETWEEN}${text}${TO}`;

/** The nodes that show a reply. */
export function replyNodes(reply: RespNode): (Node | string)[] {
	// Split by a pattern of two groups: what stands between, tone, text, what stands between, ...
	const parts = formatReply(reply, paint).split(PIECE);
	const nodes: (Node | string)[] = [];
	for (let i = 0; i < parts.length; i += 3) {
		nodes.push(parts[i] as string);
		if (i + 2 < parts.length)
			nodes.push(make("span", { class: `tone-${parts[i + 1]}` }, parts[i + 2] as string));
	}
	return nodes;
}
