import { fileURLToPath } from 'node:url';

/** Path of the pilot's program, for those who start pilots as processes of their own with `node`. */
export const pilotProgram: string = fileURLToPath(new URL('./bin.js', import.meta.url));
