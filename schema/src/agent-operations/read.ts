/** Operations that a subgraph offers to agents as tools: `agent/*.graphql`, one operation a file. */
import {
  type ConstDirectiveNode,
  type DocumentNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  valueFromASTUntyped,
} from 'graphql';
import { textFault } from './texts.js';

/** Effort to reverse a change. */
export type Stakes = 'UNDOABLE' | 'MITIGABLE' | 'IRREVERSIBLE';

/** An operation as its file says it. */
export interface AgentOperation {
  /** Name of the tool: that of the operation in snake case, with the name of the experiment in front. */
  readonly tool: string;
  /** Name for people. */
  readonly title: string;
  readonly description: string;
  /** Action that the caller needs to see the tool; null: membership of the experiment is enough. */
  readonly permission: string | null;
  /** Stakes of a mutation; null for a query. */
  readonly stakes: Stakes | null;
  /** Response paths whose texts other people or programs have written, as `jobs.nodes.error.message`. */
  readonly untrusted: readonly string[];
  /** Response paths whose texts the service has written itself; only subgraphs of core may name any. */
  readonly trusted: readonly string[];
  /** The operation, without the directive `@tool`. */
  readonly node: OperationDefinitionNode;
}

/** A subgraph that offers operations. */
export interface OfferingSubgraph {
  readonly name: string;
  /** Prefix of its types; null for a subgraph of core. */
  readonly typePrefix: string | null;
  /** Its files as one text; empty if it offers nothing. */
  readonly agentOperations?: string | undefined;
}

/** An error in the operations of a subgraph. */
export interface OperationFault {
  readonly subgraph: string;
  /** Name of the operation; null for an error of the whole text. */
  readonly operation: string | null;
  readonly message: string;
}

/** Operations and errors; an operation with an error is left out. */
export interface ReadOperations {
  readonly operations: readonly AgentOperation[];
  readonly faults: readonly OperationFault[];
}

/** Largest text of the operations of a subgraph, in characters. */
export const longestOperations = 64_000;
/** Largest number of tokens of them; a description is one. */
const mostTokens = 16_000;
/** Largest number of operations of a subgraph. */
export const mostOperations = 16;
/** Longest name of a tool: clients put prefixes in front of it, and providers allow 64 characters. */
const longestName = 48;
/** Beginning of the names of tools that propose a change. */
const proposes = 'propose_';
/** Variable that the gateway fills with the subject of the person that calls. */
export const personVariable = 'me';

/** Names of the tools that the gateway has itself. */
export const fixedTools = [
  'explain_job',
  'list_proposals',
  'my_limits',
  'run_query',
  'search_schema',
  'watch_jobs',
  'withdraw_proposal',
] as const;

/** Joins files to the text that is published, in an order that does not depend on their names. */
export function joinOperations(files: readonly string[]): string {
  return files
    .map((file) => file.trim())
    .filter((file) => file !== '')
    .sort()
    .join('\n\n');
}

/** Reads the operations of a subgraph without looking at a schema. Never throws. */
export function readOperations(subgraph: OfferingSubgraph): ReadOperations {
  const { agentOperations: text = '' } = subgraph;
  const whole = (message: string): ReadOperations => ({
    operations: [],
    faults: [{ subgraph: subgraph.name, operation: null, message }],
  });
  if (text.trim() === '') return { operations: [], faults: [] };
  if (text.length > longestOperations)
    return whole(`${text.length} characters are too many; must be at most ${longestOperations}`);
  let document: DocumentNode;
  try {
    document = parse(text, { maxTokens: mostTokens });
  } catch (error) {
    return whole(error instanceof Error ? error.message : String(error));
  }
  const { definitions } = document;
  if (definitions.length > mostOperations)
    return whole(`${definitions.length} operations are too many; must be at most ${mostOperations}`);
  const names = new Set<string>();
  const operations: AgentOperation[] = [];
  const faults: OperationFault[] = [];
  for (const node of definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION)
      return whole(`${node.kind} is not an operation; each file has one query or mutation`);
    const read = readOne(node, subgraph, names);
    if (typeof read === 'string')
      faults.push({ subgraph: subgraph.name, operation: node.name?.value ?? null, message: read });
    else operations.push(read);
  }
  return { operations, faults };
}

function readOne(
  node: OperationDefinitionNode,
  { name: subgraph, typePrefix }: OfferingSubgraph,
  names: Set<string>,
): AgentOperation | string {
  const name = node.name?.value;
  if (name === undefined) return 'the operation has no name';
  if (node.operation === 'subscription')
    return 'a subscription cannot be a tool; write a query or a mutation';
  const tool = toolName(name, typePrefix === null ? null : subgraph);
  if (tool.length > longestName || !/^[a-z][a-z0-9_]*$/.test(tool))
    return `"${tool}" is no name of a tool; must be ${longestName} lower-case letters, digits and "_" at most`;
  if ((fixedTools as readonly string[]).includes(tool)) return `the gateway has a tool "${tool}" itself`;
  if (node.operation === 'query' && tool.startsWith(proposes))
    return `"${tool}": the names of queries do not begin with "${proposes}", which is for changes`;
  if (names.has(tool)) return `"${tool}" occurs twice`;
  names.add(tool);
  const fault = describedFault(node);
  if (fault !== undefined) return fault;
  const settings = readSettings(node);
  if (typeof settings === 'string') return settings;
  if (settings.trusted.length > 0 && typePrefix !== null)
    return '@tool(trusted:): only subgraphs of core may name texts of their own';
  if (node.operation === 'mutation' && node.selectionSet.selections.length !== 1)
    return 'a mutation must have exactly one root field, since it becomes one proposal';
  const stakes = node.operation === 'mutation' ? (settings.stakes ?? 'IRREVERSIBLE') : null;
  return {
    ...settings,
    tool: node.operation === 'mutation' ? `${proposes}${tool}` : tool,
    title: settings.title ?? name.replace(/([a-z0-9])([A-Z])/g, '$1 $2'),
    description: node.description?.value.trim().replace(/\s+/g, ' ') ?? '',
    stakes,
    node: { ...node, directives: [] },
  };
}

/** Name in snake case, with the name of the experiment in front unless it is there. */
function toolName(name: string, experiment: string | null): string {
  const snake = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
  if (experiment === null || snake === experiment || snake.startsWith(`${experiment}_`)) return snake;
  return `${experiment}_${snake}`;
}

/** Longest description of an operation and of a variable, in characters. */
const longestDescription = 400;
const longestSentence = 120;

function describedFault({ description, variableDefinitions = [] }: OperationDefinitionNode) {
  const text = description?.value.trim() ?? '';
  if (text === '') return 'the operation has no description';
  const [sentence = ''] = /^.*?[.?!](?=\s|$)/s.exec(text) ?? [text];
  if (sentence.length > longestSentence)
    return `the first sentence of the description has ${sentence.length} characters; must be at most ${longestSentence}`;
  const fault = textFault(text, longestDescription);
  if (fault !== undefined) return `description: ${fault}`;
  for (const { variable, description: of } of variableDefinitions) {
    const name = variable.name.value;
    if (name === personVariable) continue;
    const said = of?.value.trim() ?? '';
    if (said === '') return `$${name} has no description`;
    const wrong = textFault(said, longestSentence);
    if (wrong !== undefined) return `$${name}: ${wrong}`;
  }
  return undefined;
}

type Settings = Pick<AgentOperation, 'permission' | 'untrusted' | 'trusted'> & {
  readonly title: string | undefined;
  readonly stakes: Stakes | undefined;
};

const none: Settings = { title: undefined, permission: null, stakes: undefined, untrusted: [], trusted: [] };

function readSettings({ directives = [] }: OperationDefinitionNode): Settings | string {
  const [first, ...more] = directives;
  if (!first) return none;
  if (more.length > 0 || first.name.value !== 'tool')
    return `@${(more[0] ?? first).name.value} is not possible here; only one @tool(title:, permission:, stakes:, untrusted:, trusted:)`;
  const given: Record<string, unknown> = { ...none };
  for (const { name, value } of (first as ConstDirectiveNode).arguments ?? []) {
    const read = valueFromASTUntyped(value);
    const fault = settingFault(name.value, read);
    if (fault !== undefined) return `@tool(${name.value}:): ${fault}`;
    given[name.value] = read;
  }
  return given as unknown as Settings;
}

function settingFault(name: string, value: unknown): string | undefined {
  if (name === 'title') return typeof value === 'string' ? textFault(value, 60) : 'must be a text';
  if (name === 'permission')
    return typeof value === 'string' && /^[a-z][A-Za-z0-9]*:[a-z][A-Za-z0-9]*$/.test(value)
      ? undefined
      : 'must be an action, such as "job:read"';
  if (name === 'stakes')
    return ['UNDOABLE', 'MITIGABLE', 'IRREVERSIBLE'].includes(value as string)
      ? undefined
      : 'must be UNDOABLE, MITIGABLE or IRREVERSIBLE';
  if (name === 'untrusted' || name === 'trusted')
    return Array.isArray(value) &&
      value.length <= 20 &&
      value.every((one) => /^[\w.]{1,200}$/.test(String(one)))
      ? undefined
      : 'must be a list of at most 20 paths, such as ["jobs.nodes.name"]';
  return 'no such argument; there are title, permission, stakes, untrusted and trusted';
}
