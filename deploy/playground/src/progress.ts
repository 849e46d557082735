/** Progress of the download of mongod. */
import type { Writable } from 'node:stream';
import { type FetchProgress, progressLine } from '@rhizome/mongo';

/** Without a terminal, a line is written for each step and for each multiple of this percentage. */
const percentStep = 20;

/** On a terminal one line that is overwritten; otherwise a few lines. */
export function showProgress(
  stream: Writable & { readonly isTTY?: boolean },
): (progress: FetchProgress) => void {
  let step = '';
  let shownPart = 0;
  return (progress) => {
    const isNew = progress.step !== step;
    const line = progressLine(progress);
    if (stream.isTTY) {
      stream.write(
        `${isNew && step !== '' ? '\n' : '\r\x1b[2K'}${line}${progress.percent === 100 ? '\n' : ''}`,
      );
      step = progress.percent === 100 ? '' : progress.step;
      return;
    }
    const part = Math.floor((progress.percent ?? 0) / percentStep);
    if (isNew || part > shownPart) stream.write(`${line}\n`);
    step = progress.step;
    shownPart = part;
  };
}
