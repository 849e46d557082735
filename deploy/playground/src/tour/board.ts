/** Shows jobs live: on a terminal a board of one line a job that is drawn anew, elsewhere one line for each change. */
import type { Writable } from 'node:stream';

/** What the board shows of a job. */
export interface BoardLine {
  readonly id: string;
  /** What the job is to its experiment, in a few words. */
  readonly what: string;
  readonly state: string;
  readonly attempt: number;
  readonly worker: string;
  /** Something to say, as an exit code. */
  readonly note: string;
}

/** Where the board is drawn. */
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

/** A live board of jobs. */
export interface Board {
  /** Shows a job's newest state. */
  show(line: BoardLine): void;
  /** Writes a line above the board. */
  say(text: string): void;
}

/** Makes a board. `since` tells the seconds since the command began. */
export function createBoard(output: BoardOutput, since: () => number): Board {
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
