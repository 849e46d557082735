/** Outputs of tools: the files that are known before the tool runs. */
import type { DraftNode } from '../graph/draft.js';
import { type Refusals, shortJson } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { Evaluator } from './evaluate.js';
import { namedEntries, refuseOthers } from './fields.js';
import { sharedPath } from './script.js';
import { type Pattern, patternsOf, suffixed } from './secondary-files.js';
import { type CwlType, typesOf } from './types.js';
import { FileValue, isList, UnknownValue, type Value } from './values.js';

const outputFields = new Set(['type', 'outputBinding', 'secondaryFiles']);
const bindingFields = new Set(['glob', 'loadContents', 'outputEval', 'loadListing']);

/** The node whose outputs these are. */
export interface OutputsOf {
  readonly node: DraftNode;
  readonly folder: string | undefined;
}

/** Names of the files into which the streams of a tool go; undefined for a stream that is not kept. */
export interface Streams {
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

/** Names of the files of the streams. An output of the type `stdout` or `stderr` keeps its stream, too. */
export function streamsOf(tool: Located, evaluator: Evaluator, refusals: Refusals): Streams {
  const nameOf = (stream: 'stdout' | 'stderr'): string | undefined => {
    const given = tool.member(stream);
    if (given) return streamName(given, evaluator, refusals);
    const isKept = namedEntries(tool.member('outputs'), 'id', refusals).some(
      ({ at }) => (at.text ?? at.member('type')?.text) === stream,
    );
    return isKept ? `${stream}.txt` : undefined;
  };
  return { stdout: nameOf('stdout'), stderr: nameOf('stderr') };
}

/** Name of a file in the folder of the tool; undefined if it is refused. */
function streamName(at: Located, evaluator: Evaluator, refusals: Refusals): string | undefined {
  const name = evaluator.textOf(at);
  if (name === undefined || !(name.includes('/') || name === '.' || name === '..')) return name;
  refusals.refuse(at, `${shortJson(name)} is not the name of a file`, 'give one without a folder');
  return undefined;
}

/** Values of the outputs, by name. */
export function outputsOf(
  tool: Located,
  of: OutputsOf,
  streams: Streams,
  { evaluator, refusals }: { readonly evaluator: Evaluator; readonly refusals: Refusals },
): ReadonlyMap<string, Value> {
  return new Map(
    namedEntries(tool.member('outputs'), 'id', refusals).map(({ name, at }) => {
      const type = at.isMap && at.member('type') ? at.place('type') : at;
      if (at.isMap) refuseOthers(at, outputFields, refusals);
      const types = typesOf(type, refusals);
      const stream = types.find((one) => one.name === 'stdout' || one.name === 'stderr')?.name;
      if (stream === 'stdout' || stream === 'stderr') {
        const file = streams[stream];
        return [name, file === undefined ? new UnknownValue(of.node) : fileOf(file, 'File', of)];
      }
      return [name, boundOutput(at, types, of, { evaluator, refusals })];
    }),
  );
}

function boundOutput(
  at: Located,
  types: readonly CwlType[],
  of: OutputsOf,
  { evaluator, refusals }: { readonly evaluator: Evaluator; readonly refusals: Refusals },
): Value {
  const isPresent = types.length > 0 && types.every(isFiles);
  const later = (reason: string): Value => new UnknownValue(of.node, `${at.shown} ${reason}`, isPresent);
  const binding = at.member('outputBinding');
  if (binding) refuseOthers(binding, bindingFields, refusals);
  for (const key of ['outputEval', 'loadContents'] as const)
    if (binding?.member(key)?.value !== undefined && binding.member(key)?.value !== false)
      return later(`is known only when the step has run, because of ${key}`);
  const glob = binding?.member('glob');
  if (!glob) return later('is known only when the step has run: it has no glob');
  const names = namesOf(glob, evaluator, refusals);
  if (!names) return new UnknownValue(of.node);
  const wild = names.find((text) => /[*?[]/.test(text));
  if (wild !== undefined) return later(`matches files that are known only when the step has run: ${wild}`);
  const outside = names.find((text) => text.startsWith('/') || text.split('/').includes('..'));
  if (outside !== undefined) return later(`is outside of the folder of the job: ${outside}`);
  const patterns = patternsOf(at, refusals, true);
  return (
    ofType(names, types, { ...of, patterns }) ??
    later('is known only when the step has run: it is not a file')
  );
}

/** Patterns of an output; undefined if they are refused. */
function namesOf(glob: Located, evaluator: Evaluator, refusals: Refusals): readonly string[] | undefined {
  const values = (glob.isList ? glob.entries() : [glob]).flatMap((one): readonly (Value | undefined)[] => {
    const value = evaluator.valueOf(one);
    return value !== undefined && isList(value) ? value : [value];
  });
  const names = values.filter((value) => typeof value === 'string');
  if (names.length === values.length) return names;
  if (!values.includes(undefined)) refusals.refuse(glob, 'is not a name or a list of names');
  return undefined;
}

/** True for files, folders and lists of them. */
function isFiles({ name, items = [] }: CwlType): boolean {
  return name === 'array'
    ? items.length > 0 && items.every(isFiles)
    : name === 'File' || name === 'Directory';
}

/** Files of an output; undefined if its type has none. */
function ofType(
  names: readonly string[],
  types: readonly CwlType[],
  of: OutputsOf & { readonly patterns: readonly Pattern[] },
): Value | undefined {
  const isOptional = types.some(({ name }) => name === 'null');
  const kind = types.find(({ name }) => name === 'File' || name === 'Directory')?.name;
  const [first] = names;
  if ((kind === 'File' || kind === 'Directory') && first !== undefined && names.length === 1)
    return fileOf(first, kind, of, isOptional);
  const items = types.find((one) => one.items)?.items ?? [];
  const itemKind = items.find(({ name }) => name === 'File' || name === 'Directory')?.name;
  if (itemKind === 'File' || itemKind === 'Directory')
    return names.map((name) => fileOf(name, itemKind, of, isOptional));
  return undefined;
}

function fileOf(
  name: string,
  kind: 'File' | 'Directory',
  of: OutputsOf & { readonly patterns?: readonly Pattern[] },
  isOptional = false,
): FileValue {
  const { node, folder, patterns = [] } = of;
  return new FileValue({
    ...{ kind, name, isOptional, from: node, basename: name.slice(name.lastIndexOf('/') + 1) },
    path: folder === undefined ? undefined : sharedPath(folder, name),
    secondary: patterns.map((pattern) =>
      fileOf(suffixed(name, pattern), 'File', { node, folder }, isOptional || pattern.isOptional),
    ),
  });
}
