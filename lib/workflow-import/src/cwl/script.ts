/** Programs of jobs: the command itself, or a small shell script around it. */
import { shellQuoted } from '../shell.js';
import type { Payload } from '../workflow.types.js';
import type { Word } from './command-line.js';

/** Places of a node's files. */
export interface SharedFolders {
  readonly shared: string;
  readonly own: string;
}

/** A command with what belongs to it. */
export interface Program {
  readonly words: readonly Word[];
  readonly hasShell: boolean;
  /** Names of files of the working folder. */
  readonly streams: {
    readonly stdin?: string | undefined;
    readonly stdout?: string | undefined;
    readonly stderr?: string | undefined;
  };
  /** Files that workers fetch into the working folder. */
  readonly inputs: readonly { readonly name: string; readonly location: string }[];
  /** Files of the working folder that are outputs of the job, by their names in it. */
  readonly outputs: readonly string[];
  /** Folder that workers share, and the folder of the node in it. */
  readonly folders: SharedFolders | undefined;
}

/** Program and files of a job. */
export function payloadOf(program: Program): Payload {
  const { words, hasShell, streams, inputs, outputs, folders } = program;
  const files = {
    ...(inputs.length > 0 ? { inputs } : {}),
    ...(outputs.length > 0 ? { outputs: outputs.map(baseName) } : {}),
  };
  const [command, ...rest] = words;
  const isPlain =
    outputs.length === 0 && folders === undefined && Object.values(streams).every((one) => !one);
  if (isPlain && hasShell) return { command: '/bin/sh', arguments: ['-c', shellText(words)], ...files };
  if (isPlain && command) return { command: command.text, arguments: rest.map(({ text }) => text), ...files };
  return { command: '/bin/sh', arguments: ['-c', scriptOf(program)], ...files };
}

/** The script: it ends with the exit code of the command if that fails. */
function scriptOf({ words, hasShell, streams, inputs, outputs, folders }: Program): string {
  // A shell of its own: streams are those of the whole command, and it does not end at a failure within.
  const command = hasShell
    ? `/bin/sh -c ${shellQuoted(shellText(words))}`
    : words.map(({ text }) => shellQuoted(text)).join(' ');
  const redirect = (sign: string, name: string | undefined): string =>
    name === undefined ? '' : ` ${sign} ${shellQuoted(name)}`;
  const line = `${command}${redirect('<', streams.stdin)}${redirect('>', streams.stdout)}${redirect('2>', streams.stderr)}`;
  const copies = outputs.map((name) => `cp -- ${shellQuoted(name)} "$RHIZOME_OUTPUTS"`);
  if (!folders) return ['set -e', line, ...copies].join('\n');
  const links = inputs.map(({ name }) => `ln -s "$started"/${shellQuoted(name)} .`);
  return [
    'set -e',
    ...(links.length > 0 ? ['started=$PWD'] : []),
    // In a sandbox, another folder could take its place, and its files would be lost.
    `shared=${shellQuoted(folders.shared)}`,
    'test -d "$shared" || { echo "$shared is not a folder that this payload can write" >&2; exit 1; }',
    `folder=${shellQuoted(folders.own)}`,
    // Attempts of a job may run at the same time: each has a folder, and the link names one that is complete.
    'own="$RHIZOME_JOB_ID.$RHIZOME_ATTEMPT_ID"',
    'mkdir -p "$folder/$own"',
    'cd "$folder/$own"',
    ...links,
    line,
    ...copies,
    // The first attempt of the job: a later one must not change the files that the next jobs read. A rename
    // leaves no moment without the link; not every mv can do it.
    'case "$(readlink "$folder/out")" in "$RHIZOME_JOB_ID".*) exit 0 ;; esac',
    'ln -sfn "$own" "$folder/.$own"',
    'mv -fT "$folder/.$own" "$folder/out" || ln -sfn "$own" "$folder/out"',
  ].join('\n');
}

/** The text that a shell runs. */
function shellText(words: readonly Word[]): string {
  return words.map(({ text, isQuoted }) => (isQuoted ? shellQuoted(text) : text)).join(' ');
}

/** Path of a file that a node leaves in its folder. */
export function sharedPath(folder: string, name: string): string {
  return `${folder}/out/${name}`;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
