/** Tools: each becomes a node. */
import { FetchedFiles } from '../fetched-files.js';
import type { DraftNode } from '../graph/draft.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { JobPart } from '../workflow.types.js';
import { commandWords, type ToolInput } from './command-line.js';
import type { CwlContext, Scope, ToolNode } from './context.js';
import type { CwlProcess } from './files.js';
import { Evaluator } from './evaluate.js';
import { namedEntries, refuseOthers } from './fields.js';
import { valueAt } from './job-order.js';
import { outputsOf, streamsOf } from './outputs.js';
import { PassedFiles } from './passed-files.js';
import { resourcesOf, type ToolResources, withRequirements } from './requirements.js';
import { payloadOf, type Program } from './script.js';
import { patternsOf, withSecondary } from './secondary-files.js';
import { typeFor, typesOf, typeText } from './types.js';
import {
  fetchedIn,
  FileValue,
  isList,
  placedIn,
  producersOf,
  shown,
  UnknownValue,
  type Value,
} from './values.js';

const toolFields = new Set([
  ...['inputs', 'outputs', 'requirements', 'hints', 'baseCommand', 'arguments'],
  ...['stdin', 'stdout', 'stderr', 'successCodes', 'temporaryFailCodes', 'permanentFailCodes'],
]);
const inputFields = new Set(['type', 'inputBinding', 'default', 'secondaryFiles', 'loadListing']);

/** A value with the place that gives it. */
export interface Given {
  readonly value: Value;
  readonly at: Located;
  /** Nodes that give the source, of which the value may be a part that is known already, such as a name. */
  readonly after?: readonly DraftNode[];
}

/** Adds the node of a tool. Returns the values of its outputs, by name. */
export function addTool(
  { at: tool }: CwlProcess,
  given: ReadonlyMap<string, Given>,
  scope: Scope,
  context: CwlContext,
): ReadonlyMap<string, Value> {
  const { refusals, sharedFolder } = context;
  refuseOthers(tool, toolFields, refusals);
  refuseCodes(tool, refusals);
  const passed = new PassedFiles(context, fetchedNames(given));
  const inputs = toolInputs(tool, given, context);
  refuseSkipped(given, inputs, scope, context);
  const { evaluator, job, image, environment, hasShell } = resourcesFor(
    tool,
    { inputs, passed },
    scope,
    context,
  );
  if (image !== undefined) refuseUnseen(inputs, context);
  const name = context.names.give(scope.name);
  const folders =
    sharedFolder === undefined
      ? undefined
      : { shared: sharedFolder, own: `${sharedFolder}/${folderName(name)}` };
  const streams = streamsOf(tool, evaluator, refusals);
  const program: ToolNode['program'] = {
    words: commandWords(tool, inputs, evaluator, refusals),
    hasShell,
    streams: { ...streams, stdin: standardInput(tool, inputs, evaluator, refusals) },
    inputs: fetchedFiles(inputs, tool, refusals),
    outputs: [],
    folders,
  };
  if (program.words.length === 0) refusals.refuse(tool, 'has no command', 'give a baseCommand');
  const node = nodeOf(tool, name, scope, [...given.values()]);
  const extra = { ...(image === undefined ? {} : { image }), ...(environment ? { environment } : {}) };
  node.job = { ...job, payload: { command: 'none', ...extra } };
  if (passed.reads.length > 0) node.reads = passed.reads;
  const entry = { node, program };
  context.tools.push(entry);
  context.toolOf.set(node, entry);
  context.conditional.add(node);
  return outputsOf(tool, { node, folder: folders?.own }, streams, { evaluator, refusals });
}

interface ToolJob extends ToolResources {
  /** Knows the inputs and the amounts of the job. */
  readonly evaluator: Evaluator;
  readonly job: JobPart;
}

/** Resources of a tool, whose expressions may name its inputs, and whose amounts commands may name. */
function resourcesFor(
  tool: Located,
  { inputs, passed }: { readonly inputs: readonly ToolInput[]; readonly passed: PassedFiles },
  scope: Scope,
  { refusals }: CwlContext,
): ToolJob {
  const values = new Map(inputs.map(({ name, value }) => [name, value]));
  const held = withRequirements(scope.held, tool, refusals);
  const resources = resourcesOf(held, new Evaluator(refusals, { inputs: values, passed }), refusals);
  const { requirements } = resources;
  const runtime = new Map<string, Value>([
    ['cores', requirements?.cores ?? 1],
    ...(requirements?.memoryMiB === undefined ? [] : [['ram', requirements.memoryMiB] as const]),
    // The command runs in the folder of its outputs.
    ['outdir', '.'],
  ]);
  const evaluator = new Evaluator(refusals, { inputs: values, runtime, passed });
  return { ...resources, evaluator, job: requirements ? { requirements } : {} };
}

/** Gives a node its program, once its outputs are known. */
export function completeNode({ node, program }: CwlContext['tools'][number]): void {
  const { command: _command, ...extra } = node.job.payload;
  node.job = { ...node.job, payload: { ...payloadOf(program), ...extra } };
}

function nodeOf(at: Located, name: string, scope: Scope, given: readonly Given[]): DraftNode {
  const { edges, needed } = scope.guard;
  const data = given.flatMap(({ value, after = [] }) =>
    [producersOf(value), after].flatMap((from) =>
      from.length === 0 ? [] : [{ from, condition: 'SUCCEEDED' as const }],
    ),
  );
  return {
    ...{ at, name, label: scope.label, edges: [...edges, ...data] },
    ...(needed === undefined ? {} : { needed }),
    job: { payload: { command: 'none' } },
  };
}

/**
 * Refuses results of steps that may be skipped while the tool is not: it would run with null, and here it
 * would be skipped, too. A required file is nothing that could be null.
 */
function refuseSkipped(
  given: ReadonlyMap<string, Given>,
  inputs: readonly ToolInput[],
  { guard }: Scope,
  { refusals, conditional }: CwlContext,
): void {
  for (const [name, { value, at }] of given) {
    if (!conditional.hasAnyBeyond(producersOf(value), guard)) continue;
    const input = inputs.find((one) => one.name === name);
    const isRequired = input && !isList(value) && !input.at.member('default') && !typeFor(null, input.types);
    if (!isRequired) refuseMaybeNull(at, refusals);
  }
}

/** Refuses a result that may be null when the workflow runs. */
export function refuseMaybeNull(at: Located, refusals: Refusals): void {
  refusals.refuse(
    at,
    'is null if the step that gives it is skipped, which is not known on import',
    'pass it as one required file, without a default',
  );
}

/** Names of files that the worker fetches into the same folder. */
function fetchedNames(given: ReadonlyMap<string, Given>): readonly string[] {
  return [...given.values()].flatMap(({ value }) =>
    fetchedIn(value).flatMap(({ basename, secondary }) => [
      basename,
      ...secondary.map((one) => one.basename),
    ]),
  );
}

function toolInputs(
  tool: Located,
  given: ReadonlyMap<string, Given>,
  context: CwlContext,
): readonly ToolInput[] {
  const { refusals } = context;
  return namedEntries(tool.member('inputs'), 'id', refusals).map(({ name, at }) => {
    if (at.isMap) refuseOthers(at, inputFields, refusals);
    const types = typesOf(at.isMap && at.member('type') ? at.place('type') : at, refusals);
    const own = given.get(name);
    const byDefault = at.member('default');
    const isGiven = own !== undefined && own.value !== null;
    const value = isGiven ? own.value : byDefault ? (valueAt(byDefault, context) ?? null) : null;
    const place = own?.at ?? at;
    if (types.length > 0 && !(byDefault && value === null) && !typeFor(value, types)) {
      const expected = `must be ${typeText(types)}`;
      if (value === null) refusals.refuse(place, `has no value for ${at.shown}`, expected);
      else refusals.refuse(place, `${shown(value)} is not a value for ${at.shown}`, expected);
    }
    return { name, at, given: place, types, value };
  });
}

/** Containers see no folders of the worker but those that payloads can write. */
function refuseUnseen(inputs: readonly ToolInput[], { refusals, sharedFolder }: CwlContext): void {
  for (const { given, value } of inputs) {
    const unseen = placedIn(value).find(
      ({ path = '' }) => sharedFolder === undefined || !path.startsWith(`${sharedFolder}/`),
    );
    if (unseen)
      refusals.refuse(
        given,
        `${JSON.stringify(unseen.path)} is not seen in containers, and the tool has an image`,
        'put it into the --shared-folder, give an http(s) URL, or leave out DockerRequirement',
      );
  }
}

/** File that the tool reads as its standard input; undefined for none. */
function standardInput(
  tool: Located,
  inputs: readonly ToolInput[],
  evaluator: Evaluator,
  refusals: Refusals,
): string | undefined {
  const given = tool.member('stdin');
  const [input, other] = inputs.filter(({ types }) => types.some(({ name }) => name === 'stdin'));
  if (!input) return given && evaluator.textOf(given);
  const second = given ? input : other;
  if (second)
    refusals.refuse(second.at, 'is a second standard input', `leave out ${given ? 'stdin' : 'one'}`);
  const binding = input.at.member('inputBinding');
  if (binding) refusals.refuse(binding, 'is not allowed for the type stdin', 'use the type File');
  const { value } = input;
  if (value instanceof UnknownValue) return evaluator.refuseUnknown(input.given, value);
  return value instanceof FileValue ? evaluator.pathOf(input.given, value) : undefined;
}

/** Files that a worker fetches, with those that belong to them. */
function fetchedFiles(inputs: readonly ToolInput[], tool: Located, refusals: Refusals): Program['inputs'] {
  const files = new FetchedFiles(tool, refusals);
  for (const { at, given, value } of inputs) {
    const patterns = patternsOf(at, refusals);
    for (const file of fetchedIn(withSecondary(value, patterns, given, refusals)))
      for (const { basename, location } of [file, ...file.secondary])
        if (location !== undefined) files.add(basename, location);
  }
  return files.list();
}

function refuseCodes(tool: Located, refusals: Refusals): void {
  for (const key of ['successCodes', 'temporaryFailCodes', 'permanentFailCodes']) {
    const codes = tool.member(key);
    const isDefault = key === 'successCodes' && JSON.stringify(codes?.value) === '[0]';
    if (codes && !isDefault && JSON.stringify(codes.value) !== '[]')
      refusals.refuse(codes, 'is not supported', 'exit code 0 is success, all others are failures');
  }
}

function folderName(name: string): string {
  return name.replace(/(^|\/)\.{1,2}(?=\/|$)/g, '$1_');
}
