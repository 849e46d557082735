// The engine's door: everything else in this folder is private to it.
export type * from './types.js';
