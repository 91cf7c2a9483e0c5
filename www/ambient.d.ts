/** What Vite makes of imports that are no scripts. */
declare module "*.wasm?url" {
	const url: string;
	export default url;
}
declare module "*.css";
interface ImportMeta {
	readonly env: { readonly MODE: string };
}
