/**
 * Live view of jobs: on a terminal one line for each job, redrawn in place; otherwise one line for each
 * change.
 */
import type { Writable } from 'node:stream';

/** Content of a job's line. */
export interface BoardLine {
  readonly id: string;
  /** Role of the job in its experiment, in a few words. */
  readonly what: string;
  readonly state: string;
  readonly attempt: number;
  readonly worker: string;
  /** Additional text, for example an exit code. */
  readonly note: string;
}

/** Output of the display. */
export interface BoardOutput {
  readonly stream: Writable & { readonly isTTY?: boolean };
}

const colours: Readonly<Record<string, number>> = {
  PENDING: 90,
  ACTIVATED: 33,
  SENT: 36,
  STARTING: 36,
  RUNNING: 34,
  HOLDING: 35,
  TRANSFERRING: 35,
  FINISHED: 32,
  FAILED: 31,
  CANCELLED: 31,
  CLOSED: 31,
};

/** A live display of jobs. */
export interface ProgressDisplay {
  /** Shows the latest state of a job. */
  show(line: BoardLine): void;
  /** Writes a line above the display. */
  say(text: string): void;
}

/** Creates a display. `since` returns the seconds since the command started. */
export function createProgressDisplay(output: BoardOutput, since: () => number): ProgressDisplay {
  const lines = new Map<string, BoardLine>();
  const live = output.stream.isTTY === true;
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) output.stream.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = () => {
    for (const line of lines.values()) output.stream.write(`${render(line, live)}\n`);
    drawn = lines.size;
  };
  return {
    show(line) {
      lines.set(line.id, line);
      if (live) {
        erase();
        draw();
      } else {
        output.stream.write(`${since().toFixed(1).padStart(6)} s  ${render(line, false)}\n`);
      }
    },
    say(text) {
      if (live) erase();
      output.stream.write(`${text}\n`);
      if (live) draw();
    },
  };
}

function render({ what, state, attempt, worker, note }: BoardLine, colour: boolean): string {
  const padded = state.padEnd(12);
  const shown = colour ? `\x1b[${colours[state] ?? 0}m${padded}\x1b[0m` : padded;
  return `${what.padEnd(34)} ${shown} attempt ${attempt}  ${worker.padEnd(10)} ${note}`.trimEnd();
}
