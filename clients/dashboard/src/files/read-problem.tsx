import type { ReactNode } from 'react';
import { fetchCommandOf } from './fetch-command.js';
import { ReadError, type ReadErrorKind } from './stored-file.js';

/** Advice about each error; `other` is a way to the file without the browser. */
const advice: Readonly<Record<ReadErrorKind, (other: ReactNode) => ReactNode>> = {
  GONE: () => 'Ask the operators of the storage, or submit the job again.',
  CHANGED: () => 'Ask the operators of the storage, or submit the job again.',
  DENIED: (other) => <>Use {other}; if that is refused, too, ask the operators of the storage.</>,
  UNSIGNED: (other) => <>Try again later, or use {other}, which says what is wrong.</>,
  FAILED: (other) => <>Try again, or use {other}.</>,
  UNREACHABLE: (other) => (
    <>
      Use {other}, which needs no browser. Operators permit previews by <code>origins</code> of the storage
      and <code>fileOrigins</code> of the gateway.
    </>
  ),
};

/** A file that could not be read, and where it is. */
export interface FailedRead {
  readonly error: unknown;
  readonly jobId: string;
  /** Number of the failed attempt that kept the file; null for an output of the job. */
  readonly attempt: number | null;
  readonly name: string;
}

/** Says why a file could not be read, and what to do. */
export function ReadProblem({ error, jobId, attempt, name }: FailedRead) {
  const kind = error instanceof ReadError ? error.kind : 'FAILED';
  const message = error instanceof Error ? error.message : String(error);
  // `rhizome fetch` downloads outputs of FINISHED jobs only.
  const other =
    attempt === null ? fetchCommandOf(jobId, name) : `outputFiles(attempt: ${attempt}) of the job in the API`;
  return (
    <p className="failures" role="alert">
      {message} {advice[kind](<code>{other}</code>)}
    </p>
  );
}
