import { fileURLToPath } from 'node:url';

/** Path of the program, for callers that start it as a process with `node`. */
export const executorProgram: string = fileURLToPath(new URL('../bundle/bin.js', import.meta.url));
