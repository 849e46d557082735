/** Import of CWL. */
import { isAbsolute } from 'node:path';
import type { ImportRequest } from '../import.types.js';
import { finishWorkflow, headOf, stemOf } from '../graph/finish.js';
import { Names } from '../graph/names.js';
import type { Refusals } from '../refusals.js';
import { Located } from '../text/located.js';
import type { ImportedWorkflow } from '../workflow.types.js';
import { ConditionalNodes, type CwlContext } from './context.js';
import { namedEntries } from './fields.js';
import { CwlFiles } from './files.js';
import { valueAt } from './job-order.js';
import { completeNode, type Given } from './tool.js';
import { FileValue, isList, UnknownValue, type Value } from './values.js';
import { addProcess } from './workflow.js';

/** Imports the process of a file. Undefined if there are refusals. */
export function importCwl(request: ImportRequest, refusals: Refusals): ImportedWorkflow | undefined {
  const { file, id, inputs, read, cwd } = request;
  const files = new CwlFiles(read, cwd, refusals);
  const process = files.process(file, id);
  if (!process) return undefined;
  const { sharedFolder, readableFolders } = foldersOf(request, process.at, refusals);
  const context: CwlContext = {
    ...{ refusals, files, sharedFolder, readableFolders, names: Names.ofNodes() },
    ...{ tools: [], toolOf: new Map(), orders: new Map(), withoutNode: { count: 0 }, passed: { count: 0 } },
    conditional: new ConditionalNodes(),
  };
  const stem = stemOf(file);
  const isTool = process.at.member('class')?.text === 'CommandLineTool';
  const given = jobOrder(inputs, process.at, context);
  const scope = {
    ...{ name: isTool ? stem : '', label: isTool ? stem : '' },
    ...{ held: new Map(), guard: { edges: [] }, within: [] },
  };
  const outputs = addProcess(process, given, scope, context);
  for (const { name, at } of namedEntries(process.at.member('outputs'), 'id', refusals))
    keepOutput(outputs.get(name) ?? null, at, context);
  for (const entry of context.tools) completeNode(entry);
  return finishWorkflow(
    context.tools.map(({ node }) => node),
    headOf(request),
    refusals,
    process.at,
  );
}

/** Software that all workers of a grid have. */
const everywhere = '/cvmfs';

/** Folders of the workers, without a slash at the end. */
function foldersOf(
  { sharedFolder: shared, readableFolders: readable = [] }: ImportRequest,
  at: Located,
  refusals: Refusals,
): Pick<CwlContext, 'sharedFolder' | 'readableFolders'> {
  const given = [...(shared === undefined ? [] : [shared]), ...readable];
  for (const folder of given)
    if (!isAbsolute(folder))
      refusals.refuse(at, `the folder ${JSON.stringify(folder)} is not an absolute path`);
  const plain = (folder: string): string => folder.replace(/\/+$/, '');
  return {
    sharedFolder: shared === undefined ? undefined : plain(shared),
    readableFolders: [everywhere, ...given.map(plain)],
  };
}

/** Values of the file with inputs, by name. */
function jobOrder(
  path: string | undefined,
  process: Located,
  context: CwlContext,
): ReadonlyMap<string, Given> {
  const { refusals, files } = context;
  const source = path === undefined ? undefined : files.open(path);
  if (!source) return new Map();
  const whole = new Located(source);
  if (!whole.isMap) refusals.invalid(whole, 'a map from names of inputs to their values');
  const known = new Set(namedEntries(process.member('inputs'), 'id', refusals).map(({ name }) => name));
  return new Map(
    whole.members().flatMap((at): readonly (readonly [string, Given])[] => {
      if (at.name === 'cwl:requirements')
        refusals.refuse(at, 'is not supported', 'write the requirements into the process');
      else if (at.name.includes(':')) refusals.note(at, 'has no effect');
      if (at.name.includes(':')) return [];
      if (!known.has(at.name)) {
        refusals.note(at, `is not an input; the inputs are ${[...known].join(', ')}`);
        return [];
      }
      return [[at.name, { value: valueAt(at, context) ?? new UnknownValue(), at }]];
    }),
  );
}

/** Files of an output of the whole become outputs of the jobs that write them. */
function keepOutput(value: Value, at: Located, context: CwlContext): void {
  const { refusals, toolOf, sharedFolder } = context;
  if (isList(value)) for (const entry of value) keepOutput(entry, at, context);
  if (value instanceof UnknownValue && value.from && value.reason !== undefined) {
    if (sharedFolder !== undefined) refusals.note(at, `is not an output of a job: ${value.reason}`);
    else refusals.refuse(at, value.reason, 'name the files in glob, or give a --shared-folder');
  }
  if (!(value instanceof FileValue) || !value.from || value.name === undefined) return;
  if (value.kind === 'Directory' || value.isOptional) {
    const what =
      value.kind === 'Directory' ? 'a folder' : `${JSON.stringify(value.basename)}, which is optional`;
    if (sharedFolder !== undefined) refusals.note(at, `is ${what}, and not an output of a job`);
    else refusals.refuse(at, `is ${what}; outputs of jobs are files that must exist`);
    return;
  }
  for (const file of value.secondary) keepOutput(file, at, context);
  const outputs = toolOf.get(value.from)?.program.outputs;
  if (!outputs || outputs.includes(value.name)) return;
  const isTaken = outputs.some((name) => name.replace(/^.*\//, '') === value.basename);
  if (isTaken) refusals.refuse(at, `has a second file ${JSON.stringify(value.basename)} of the same job`);
  else outputs.push(value.name);
}
