declare module "virtual:first" { const characters: string; export default characters; }
declare module "virtual:words" { const text: string; export default text; }
declare module "virtual:worker" { const source: string; export default source; }
declare module "virtual:samples" { const samples: Array<{ name: string; title: string; text: string }>; export default samples; }
