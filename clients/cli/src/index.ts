export { run } from './program.js';
export type { World } from './command.js';
export { exitCodes, type ExitCode } from './exit-codes.js';
