/** Files of workflows for `workflow submit` and `workflow convert`: our own, and those of other systems. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as ImportLibrary from '@rhizome/workflow-import';
import type { ImportFormat, ImportRequest, ReadFile } from '@rhizome/workflow-import';
import { CliError, exitCodes } from '../../exit-codes.js';
import { givenFlags } from '../../flags/flags.js';
import type { SubmitWorkflowInput } from '../../operations.generated.js';
import type { Output } from '../../output.js';
import { workflowOf } from './workflow-file.js';

/** The library, loaded when it is first needed: most commands start without its YAML parser. */
const importLibrary = async (): Promise<typeof ImportLibrary> => import('@rhizome/workflow-import');

/** Formats of files; `rhizome` is our own. */
export const fileFormats = ['rhizome', 'cwl', 'bps', 'idds'] as const satisfies readonly (
  ImportFormat | 'rhizome'
)[];

/** Flags of commands that read a file. */
export interface FileFlags {
  readonly format?: (typeof fileFormats)[number];
  readonly experiment?: string;
  readonly name?: string;
  readonly share?: string;
  readonly inputs?: string;
  readonly readableFolder?: readonly string[];
  readonly sharedFolder?: string;
}

/** A workflow without key. */
export type FileWorkflow = Omit<SubmitWorkflowInput, 'idempotencyKey'>;

const flagsOfImports = ['experiment', 'name', 'share', 'inputs', 'readableFolder', 'sharedFolder'] as const;

/** Flags that have no meaning for a format. */
const unusedBy: Readonly<Record<ImportFormat, readonly (keyof FileFlags)[]>> = {
  cwl: [],
  bps: ['readableFolder', 'sharedFolder'],
  idds: ['inputs', 'readableFolder', 'sharedFolder'],
};

/**
 * Reads a file, and converts it from the format of another system. Notes on what an import leaves out go to
 * the error stream.
 * @throws CliError that lists everything that cannot be imported, with places
 */
export async function readAnyFile(
  file: string,
  flags: FileFlags,
  { cwd, output }: { readonly cwd: string; readonly output: Output },
): Promise<FileWorkflow> {
  const { path, id } = dividedPath(file, cwd);
  const read = readingOnce(path, reader(cwd));
  const format = flags.format ?? (await detected(path, read)) ?? 'rhizome';
  if (format === 'rhizome' || typeof format === 'object') {
    const [given] = givenFlags(flags, flagsOfImports);
    if (given === undefined) return workflowOf(Buffer.from(bytesOf(file, read)).toString(), file);
    if (typeof format === 'object') throw cannotBeImported(path, format.refusals);
    throw new CliError(exitCodes.usage, `${given} is only for files of other systems`);
  }
  const [other] = givenFlags(flags, unusedBy[format]);
  if (other !== undefined) throw new CliError(exitCodes.usage, `${other} is not for ${format} files`);
  const { experiment, readableFolder: readableFolders, ...rest } = flags;
  if (experiment === undefined)
    throw new CliError(exitCodes.usage, `--experiment is missing: a ${format} file does not name one`);
  return imported(format, { ...rest, readableFolders, file: path, id, experiment, cwd, read }, output);
}

async function imported(
  format: ImportFormat,
  request: ImportRequest,
  { errors }: Output,
): Promise<FileWorkflow> {
  const { importWorkflow } = await importLibrary();
  const result = importWorkflow(format, request);
  if ('refusals' in result) throw cannotBeImported(request.file, result.refusals);
  for (const note of result.notes) errors.write(`note: ${note}\n`);
  return result.workflow as FileWorkflow;
}

function cannotBeImported(path: string, refusals: readonly string[]): CliError {
  const list = refusals.map((refusal) => `  ${refusal}`).join('\n');
  return new CliError(exitCodes.usage, `${path} cannot be imported:\n${list}`);
}

/** The path of a file, and the id of a process in it, as in `graph.cwl#main`. */
function dividedPath(file: string, cwd: string): { readonly path: string; readonly id?: string } {
  const at = file.lastIndexOf('#');
  if (at <= 0 || existsSync(resolve(cwd, file))) return { path: file };
  return { path: file.slice(0, at), id: file.slice(at + 1) };
}

async function detected(
  path: string,
  read: ReadFile,
): Promise<ReturnType<typeof ImportLibrary.detectFormat>> {
  const { detectFormat } = await importLibrary();
  return detectFormat(bytesOf(path, read), path);
}

/** @throws CliError if the file cannot be read */
function bytesOf(path: string, read: ReadFile): Uint8Array {
  const bytes = read(path);
  if ('problem' in bytes) throw new CliError(exitCodes.usage, `${path} cannot be read: ${bytes.problem}`);
  return bytes;
}

/** Keeps one file: it may be a pipe, which is empty when it is read again. */
function readingOnce(path: string, read: ReadFile): ReadFile {
  let kept: ReturnType<ReadFile> | undefined;
  return (wanted) => (wanted === path ? (kept ??= read(path)) : read(wanted));
}

function reader(cwd: string): ReadFile {
  return (path) => {
    try {
      return readFileSync(resolve(cwd, path));
    } catch (error) {
      return { problem: (error as Error).message.replace(/, open .*/, '') };
    }
  };
}
