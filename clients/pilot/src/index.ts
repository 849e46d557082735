import { fileURLToPath } from 'node:url';

/** Path of the pilot program, for callers that start pilots as processes with `node`. */
export const pilotProgram: string = fileURLToPath(new URL('./bin.js', import.meta.url));
