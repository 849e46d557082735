/**
 * Pilots as processes of a host: of this one, or of another one by `ssh`. Each pilot has a folder, in which
 * its process records itself when it starts; a second start of the same pilot ends at once.
 */
import { quoted } from '../../run/pilot-script.js';
import type { CommandRunner } from '../run-command.js';
import type {
  BatchJob,
  Cancelled,
  Listing,
  PilotBatch,
  Provider,
  ScriptOf,
  SubmitOutcome,
} from '../provider.types.js';

/** Settings of {@link ProcessProvider}. */
export interface ProcessOptions {
  readonly runner: Pick<CommandRunner, 'run'>;
  readonly script: ScriptOf;
  /** Folder for the pilots on the host. */
  readonly folder: string;
  /** Command that runs a shell on the host, which reads its program from the standard input. */
  readonly shell: readonly string[];
}

/** Hours after which the folder of a pilot is removed that has ended, or has never started. */
const keptHours = 24;
/** Seconds within which a process must have recorded itself. */
const startSeconds = 30;
/** Exit code of a submission that has started no pilot. */
const nothingStarted = 73;

/** Records the process, runs the pilot, and records its end. The start time distinguishes reused ids. */
const wrapper = `ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
echo "$$ $(ticks $$)" >"$1/process.new" && ln "$1/process.new" "$1/process" || exit 0
sh "$1/script" >"$1/log" 2>&1 </dev/null &
child=$!
trap 'kill -TERM $child 2>/dev/null' TERM INT
code=143
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
echo $code >"$1/exit"
`;

/** Starts pilots as processes. */
export class ProcessProvider implements Provider {
  readonly #options: ProcessOptions;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  async describe(): Promise<readonly string[]> {
    const result = await this.#shell(
      `echo "cores $(nproc)"; sed -n 's/^MemTotal: */memory /p' /proc/meminfo`,
    );
    if (result.kind !== 'DONE') throw new Error(result.reason);
    return result.stdout.split('\n').filter((line) => line !== '');
  }

  async submit(batch: PilotBatch): Promise<SubmitOutcome> {
    const { pilots } = batch;
    const starts = pilots.map((pilot) => {
      const own = this.#options.script({ ...batch, pilots: [pilot] }, 'RHIZOME_PILOT_NUMBER');
      return `start ${quoted(folderOf(batch.batch, pilot.number))} <<'RHIZOME_PILOT_END'\n${own}RHIZOME_PILOT_END\n`;
    });
    const result = await this.#shell(`set -u
umask 077
mkdir -p ${quoted(this.#options.folder)} && cd ${quoted(this.#options.folder)} || exit ${nothingStarted}
printf '%s' ${quoted(wrapper)} >wrapper.new && mv wrapper.new wrapper || exit ${nothingStarted}
failed=0
start() {
  [ ! -d "$1" ] || return 0
  mkdir "$1" && cat >"$1/script.new" && mv "$1/script.new" "$1/script" || { failed=1; return 0; }
  setsid env -i PATH="$PATH" HOME="\${HOME:-/}" TMPDIR="\${TMPDIR:-/tmp}" sh wrapper "$PWD/$1" >/dev/null 2>&1 </dev/null &
}
${starts.join('')}[ "$failed" = 0 ] || exit 75`);
    if (result.kind === 'FAILED') {
      // The list shows which were started, also where SSH lost the connection.
      const isNothingStarted = result.exitCode === undefined || result.exitCode === nothingStarted;
      return { kind: isNothingStarted ? 'REFUSED' : 'UNKNOWN', reason: result.reason };
    }
    if (result.kind === 'UNKNOWN') return result;
    return {
      kind: 'ACCEPTED',
      batchJobIds: new Map(pilots.map(({ id, number }) => [id, folderOf(batch.batch, number)])),
    };
  }

  async list(): Promise<Listing> {
    const { folder } = this.#options;
    const result = await this.#shell(`[ -d ${quoted(folder)} ] || { echo complete; exit 0; }
cd ${quoted(folder)} || exit 74
ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
now=$(date +%s)
for pilot in pilot_*; do
  [ -d "$pilot" ] || continue
  state=ENDED code=
  if [ -f "$pilot/exit" ]; then
    read -r code <"$pilot/exit"
    age=$((now - $(stat -c %Y "$pilot/exit")))
    [ "$age" -lt ${keptHours * 3600} ] || rm -rf "$pilot"
  elif [ -f "$pilot/process" ]; then
    read -r pid start <"$pilot/process"
    if [ -n "$pid" ] && [ "$(ticks "$pid")" = "$start" ]; then state=RUNNING
    else
      # Recorded for the rule above. The process may have ended just now.
      [ -f "$pilot/exit" ] || echo killed >"$pilot/exit"
      read -r code <"$pilot/exit" || code=killed
    fi
  else
    age=$((now - $(stat -c %Y "$pilot")))
    if [ "$age" -lt ${startSeconds} ]; then state=PENDING; else code='not started'; fi
    [ "$age" -lt ${keptHours * 3600} ] || rm -rf "$pilot"
  fi
  echo "$pilot|$state|$code"
done
echo complete`);
    if (result.kind !== 'DONE') return { isComplete: false, reason: result.reason };
    const jobs = parseProcesses(result.stdout);
    return jobs
      ? { isComplete: true, jobs }
      : { isComplete: false, reason: 'the list of the host is cut off' };
  }

  async cancel(batchJobIds: readonly string[], which: Cancelled): Promise<void> {
    // Processes do not wait.
    if (batchJobIds.length === 0 || which === 'WAITING') return;
    await this.#shell(`cd ${quoted(this.#options.folder)} || exit 0
ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
for pilot in ${batchJobIds.map(quoted).join(' ')}; do
  [ -f "$pilot/process" ] || continue
  read -r pid start <"$pilot/process"
  [ -z "$pid" ] || [ "$(ticks "$pid")" != "$start" ] || kill -TERM "$pid"
done`);
  }

  #shell(program: string) {
    const [command = 'sh', ...args] = this.#options.shell;
    return this.#options.runner.run({ program: command, arguments: args, input: program });
  }
}

/** Batch jobs in the list of a host, which ends with a mark; undefined without it. */
export function parseProcesses(text: string): readonly BatchJob[] | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.pop() !== 'complete') return undefined;
  return lines.flatMap((line): BatchJob[] => {
    const [name = '', state, code = ''] = line.split('|');
    const [, batch, number] = /^(pilot_[0-9A-Za-z]+)\.(\d+)$/.exec(name) ?? [];
    if (batch === undefined || (state !== 'ENDED' && state !== 'RUNNING' && state !== 'PENDING')) return [];
    const reason =
      state === 'ENDED' && code !== '0' ? { reason: /^\d+$/.test(code) ? `exit code ${code}` : code } : {};
    return [{ batch, number: Number(number), batchJobId: name, state, ...reason }];
  });
}

function folderOf(batch: string, number: number): string {
  return `${batch}.${number}`;
}
