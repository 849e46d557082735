/**
 * Frees everything that nobody holds, so that what is in use can be measured: what the collector has not come
 * to yet would hide what grows.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

export const collectGarbage = runInNewContext('gc') as () => void;
