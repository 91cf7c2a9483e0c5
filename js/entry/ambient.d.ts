declare module "*.wasm" {
	const module: WebAssembly.Module;
	export default module;
}

declare module "redstart-wasm-as-base64" {
	const text: string;
	export default text;
}

declare module "redstart-glue" {
	const makeGlue: () => import("../wasm.ts").Glue;
	export default makeGlue;
}
