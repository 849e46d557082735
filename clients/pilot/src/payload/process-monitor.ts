import {
  looksAfresh,
  processesOf,
  type AttemptMark,
  type CarriesMark,
} from '../processes/attempt-processes.js';
import { readProcessTable, type ProcessEntry, type ProcessTable } from '../processes/process-table.js';

/** What is told of each sample. */
export type OnSample = (entries: readonly ProcessEntry[]) => void;

interface Watched {
  readonly mark: AttemptMark;
  readonly onSample: OnSample;
}

/** Samples soon after the start, so that short payloads are seen too. */
const EARLY_SAMPLES_MS = [100, 400];

/** Samples the processes of all running attempts: one look at /proc a period, shared by all of them. */
export class ProcessMonitor {
  private readonly watched = new Set<Watched>();
  private timer: NodeJS.Timeout | undefined;
  /** Answers by process id and start: an environment is looked at once in a process's life. */
  private remembered = new Map<string, boolean>();

  constructor(private readonly periodMs = 1000) {}

  /** Tells of the attempt's processes from now on, until the returned function is called. */
  add(mark: AttemptMark, onSample: OnSample): () => void {
    const entry = { mark, onSample };
    this.watched.add(entry);
    this.timer ??= setInterval(() => this.sample([...this.watched]), this.periodMs);
    const early = EARLY_SAMPLES_MS.filter((ms) => ms < this.periodMs).map((ms) =>
      setTimeout(() => this.sample([entry]), ms),
    );
    return () => {
      early.forEach(clearTimeout);
      this.watched.delete(entry);
      if (this.watched.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
      this.remembered.clear();
    };
  }

  private sample(attempts: readonly Watched[]): void {
    const table = readProcessTable();
    for (const { mark, onSample } of attempts) onSample(processesOf(mark, table, this.carries));
    if (attempts.length === this.watched.size) this.forget(table);
  }

  private readonly carries: CarriesMark = (entry, attemptId) => {
    const key = `${entry.pid}:${entry.startTicks}:${attemptId}`;
    const known = this.remembered.get(key);
    if (known !== undefined) return known;
    const answer = looksAfresh(entry, attemptId);
    this.remembered.set(key, answer);
    return answer;
  };

  private forget(table: ProcessTable): void {
    for (const key of this.remembered.keys()) {
      const [pid, start] = key.split(':').map(Number);
      if (pid === undefined || table.get(pid)?.startTicks !== start) this.remembered.delete(key);
    }
  }
}
