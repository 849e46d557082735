/** The program of a batch job: enrols the pilot with its code, and runs it. */
import { marginSeconds } from '../config.js';
import type { ScriptOf } from '../providers/provider.types.js';

/** Settings of the pilots of one shape. */
export interface PilotProgram {
  /** The pilot's command with its first arguments. */
  readonly command: readonly string[];
  /** Further arguments of the pilot. */
  readonly arguments: readonly string[];
  /** Address of the gateway. */
  readonly url: string;
  readonly queue: string;
  /** True if an `http:` address of another host is permitted. */
  readonly isInsecure: boolean;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly idleSeconds: number;
  readonly drainSeconds: number;
}

/** Creates the program of a batch job. */
export function pilotScript(program: PilotProgram): ScriptOf {
  return (batch, numberVariable) => {
    const { url, queue, isInsecure, drainSeconds } = program;
    const pilot = program.command.map(quoted).join(' ');
    const connection = isInsecure ? ' --insecure-transport' : '';
    return `#!/bin/sh
# Pilots of Rhizome. Each has a code with which it enrols once.
started=$(date +%s)
set -u
umask 077
# Batch systems may start it without one.
PATH=\${PATH:-/usr/local/bin:/usr/bin:/bin}
export PATH
number=\${${numberVariable}:-${batch.pilots[0]?.number ?? 0}}
case $number in
${batch.pilots.map(({ id, number, code }) => `  ${number}) pilot=${quoted(id)} code=${quoted(code)} ;;`).join('\n')}
  *)
    echo "rhizome-executor: no pilot has number $number" >&2
    exit 64
    ;;
esac
work=$(mktemp -d "\${TMPDIR:-/tmp}/rhizome-pilot.XXXXXX") || exit 73
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT
printf '%s\\n' "$code" >"$work/code"
${pilot} enrol --url ${quoted(url)}${connection} --queue ${quoted(queue)} --credential-file "$work/credential" --code-file "$work/code" || exit
rm -f "$work/code"
unset code
left=$((started + ${batch.resources.walltimeSeconds} - $(date +%s)))
end=\${SLURM_JOB_END_TIME:-}
if [ -z "$end" ] && [ -n "\${SLURM_JOB_ID:-}" ]; then
  # Slurm before 24.11 does not set it. The id of the first task of an array is also that of the array.
  job=\${SLURM_ARRAY_JOB_ID:+\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID:-}}
  end=$(scontrol show job -o "\${job:-$SLURM_JOB_ID}" 2>/dev/null | sed -n 's/.* EndTime=\\([0-9T:-]*\\).*/\\1/p')
  [ -z "$end" ] || end=$(date -d "$end" +%s 2>/dev/null) || end=
fi
[ -z "$end" ] || left=$((end - $(date +%s)))
left=$((left - ${drainSeconds + marginSeconds}))
[ "$left" -ge 1 ] || left=1
${pilot} launch ${launchArguments(program)} --lifetime-seconds "$left" --name "$pilot" --batch-job-id "$pilot" --credential-file "$work/credential" --scratch "$work/scratch" &
child=$!
for signal in TERM INT; do trap "kill -$signal $child 2>/dev/null" "$signal"; done
code=143
# A signal ends the wait, and not the pilot.
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
exit "$code"
`;
  };
}

function launchArguments(program: PilotProgram): string {
  const { cores, memoryMiB, diskMiB, labels, idleSeconds, drainSeconds, isInsecure } = program;
  const given = [
    ...program.arguments,
    ...['--cores', String(cores), '--memory-mib', String(memoryMiB), '--disk-mib', String(diskMiB)],
    ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
    ...['--idle-seconds', String(idleSeconds), '--drain-seconds', String(drainSeconds)],
    ...(isInsecure ? ['--insecure-transport', 'true'] : []),
  ];
  return given.map(quoted).join(' ');
}

/** A word of a shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
