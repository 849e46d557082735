export { parseOptions, type PlaygroundOptions, type TransportKind } from './options.js';
export { playgroundFilePath, type PlaygroundFile } from './playground-file.js';
