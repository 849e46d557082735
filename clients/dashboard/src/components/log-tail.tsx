import { backoffMs } from '@rhizome/retry/backoff';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { type Client, type CombinedError, type OperationResult, useClient } from 'urql';
import { failureOfQuery } from '../api/api.js';
import { useLive } from '../api/use-live.js';
import {
  JobLogPageDocument,
  type JobLogPageQuery,
  LogMovesDocument,
  type LogMovesSubscription,
} from '../operations.generated.js';
import { emptyLog, foldLog, readable, type ShownLog } from '../pages/log.js';
import { FailureNote } from './failure-note.js';

/** A log that was read page by page, and where the stream goes on after it. */
interface ReadLog {
  readonly log: ShownLog;
  readonly endCursor: string | null;
}

/** Reads what there is of the latest attempt. */
async function readLog(client: Client, id: string): Promise<ReadLog> {
  let log = emptyLog;
  for (let after: string | null = null; ;) {
    const { data, error }: OperationResult<JobLogPageQuery> = await client
      .query(JobLogPageDocument, { id, after }, { requestPolicy: 'network-only' })
      .toPromise();
    if (error) throw error;
    if (!data?.job) return { log, endCursor: after };
    const { attempt, log: page }: NonNullable<JobLogPageQuery['job']> = data.job;
    const event = { attempt, chunks: page.chunks, isComplete: false };
    log = foldLog(log, { jobLogAppended: { cursor: '', event } });
    after = page.endCursor ?? after;
    if (!page.hasNextPage) return { log, endCursor: after };
  }
}

/** A log, or a note that the stream started again without its past. */
type FollowedLog = ShownLog & { readonly isLost?: boolean };

/** The end of a job's log, as it is written; through all attempts. */
export function LogTail({ jobId }: { jobId: string }) {
  const client = useClient();
  const [read, setRead] = useState<ReadLog | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [round, setRound] = useState(0);
  const attempt = useRef(0);
  useEffect(() => {
    let isCurrent = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    setRead(null);
    readLog(client, jobId).then(
      (found) => {
        if (!isCurrent) return;
        attempt.current = 0;
        setFailure(null);
        setRead(found);
      },
      (error: CombinedError) => {
        if (!isCurrent) return;
        const { message, retry } = failureOfQuery(error);
        setFailure(message);
        attempt.current += 1;
        if (retry !== 'never')
          timer = setTimeout(() => setRound((before) => before + 1), backoffMs(attempt.current));
      },
    );
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [client, jobId, round]);
  if (failure !== null) return <FailureNote failures={[failure]} />;
  if (read === null) return <p className="muted">reading…</p>;
  return (
    <LiveTail key={round} jobId={jobId} read={read} onPastLost={() => setRound((before) => before + 1)} />
  );
}

function LiveTail({ jobId, read, onPastLost }: { jobId: string; read: ReadLog; onPastLost: () => void }) {
  const variables = read.endCursor === null ? { jobId } : { jobId, after: read.endCursor };
  const fold = (before: FollowedLog, data: LogMovesSubscription, isFirst: boolean): FollowedLog =>
    isFirst && read.endCursor !== null ? { ...before, isLost: true } : foldLog(before, data);
  const { state, failure } = useLive<LogMovesSubscription, { jobId: string; after?: string }, FollowedLog>(
    LogMovesDocument,
    variables,
    fold,
    read.log,
  );
  const { isLost = false } = state;
  useEffect(() => {
    if (isLost) onPastLost();
  }, [isLost, onPastLost]);
  return (
    <>
      <FailureNote failures={[failure]} />
      <LogText log={state} />
    </>
  );
}

const endWord = ({ isCut }: ShownLog): string =>
  isCut ? 'the job has ended: this is the end of it' : 'the job has ended: this is all of it';

/** Stays at the end while its reader is there. */
function LogText({ log }: { log: ShownLog }) {
  const place = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    const element = place.current;
    if (element && isAtEnd.current) element.scrollTop = element.scrollHeight;
  }, [log]);
  return (
    <>
      {log.isCut && (
        <p className="muted">
          Only the end is shown here; <code>rhizome logs</code> gives all of it.
        </p>
      )}
      <pre
        ref={place}
        className="log"
        role="region"
        aria-label="Log"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {log.chunks.map(({ cursor, stream, text }) => (
          <span key={cursor} className={stream === 'STDERR' ? 'stderr' : undefined}>
            {readable(text)}
          </span>
        ))}
      </pre>
      <p className="muted">
        {log.attempt > 0 ? `attempt ${log.attempt}; ` : ''}
        {log.isComplete ? endWord(log) : 'as it is written'}
      </p>
    </>
  );
}
