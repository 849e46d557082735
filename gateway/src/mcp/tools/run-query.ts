/** `run_query`: a query that the caller writes, within narrower limits than those of the API. */
import { DomainError } from '@rhizome/errors';
import type { OperationInfo } from '@rhizome/federation';
import { type GraphQLSchema, Kind, type SelectionSetNode } from 'graphql';
import { assertAffordable, costOf } from '../../policy/index.js';
import { answerResult, errorResult } from '../results/tool-result.js';
import { givenInputs, readOnly, type Tool } from './tool.js';

/** Limits of a query. */
export const queryLimits = { depth: 10, cost: 5_000, characters: 8_000, seconds: 10 } as const;

const noPaths = { untrusted: [], trusted: [] };

/** The tool. `assumedListSize` is that of the cost of all operations. */
export function runQueryTool(schema: GraphQLSchema, assumedListSize: number): Tool {
  const definition = {
    name: 'run_query',
    title: 'Run a query',
    description:
      'Runs a GraphQL query that you write, for what no other tool answers. Find fields with search_schema first, select few of them, and page with first and after.',
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'One GraphQL query; no mutation.' },
        variables: { type: 'object', description: 'Its variables.' },
      },
      required: ['query'],
      additionalProperties: false,
    },
    annotations: readOnly,
  };
  return {
    definition,
    isFor: () => true,
    call: async (given, call) => {
      const inputs = givenInputs(given, definition);
      if (typeof inputs === 'string') return errorResult(inputs);
      const { query, variables = {} } = inputs;
      if (typeof query !== 'string' || query.length > queryLimits.characters)
        return errorResult(`query: must be a text of at most ${queryLimits.characters} characters`);
      if (typeof variables !== 'object' || Array.isArray(variables))
        return errorResult('variables: must be an object with the values by name');
      const values = variables as Readonly<Record<string, unknown>>;
      const answer = await call.run({
        tool: definition.name,
        query,
        variables: values,
        timeoutMs: queryLimits.seconds * 1000,
        admit: (operation) => refusalOf(operation, schema, values, assumedListSize),
      });
      return answerResult(answer, noPaths);
    },
  };
}

function refusalOf(
  operation: OperationInfo,
  schema: GraphQLSchema,
  variables: Readonly<Record<string, unknown>>,
  assumedListSize: number,
): DomainError | undefined {
  if (operation.kind !== 'query') {
    const text = `query: a ${operation.kind} does not run here; must be a query. Changes are proposed with the tools propose_…`;
    return new DomainError('BAD_REQUEST', text, { field: 'query' });
  }
  const depth = depthOf(operation);
  if (depth > queryLimits.depth) {
    const text = `query: ${depth} levels are too many; must be at most ${queryLimits.depth}`;
    return new DomainError('OPERATION_TOO_COMPLEX', text, { field: 'depth', value: depth });
  }
  try {
    assertAffordable(costOf(operation, schema, variables, { assumedListSize }), queryLimits.cost);
    return undefined;
  } catch (error) {
    return error as DomainError;
  }
}

/** Levels of fields, with fragments in their places. */
function depthOf({ document }: OperationInfo): number {
  const sets = new Map<string, SelectionSetNode>();
  let root: SelectionSetNode | undefined;
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) sets.set(node.name.value, node.selectionSet);
    if (node.kind === Kind.OPERATION_DEFINITION) root = node.selectionSet;
  }
  const known = new Map<SelectionSetNode, number>();
  const measure = (set: SelectionSetNode | undefined): number => {
    if (!set) return 0;
    const found = known.get(set);
    if (found !== undefined) return found;
    const depths = set.selections.map((one) => {
      if (one.kind === Kind.FIELD) return 1 + measure(one.selectionSet);
      return measure(one.kind === Kind.INLINE_FRAGMENT ? one.selectionSet : sets.get(one.name.value));
    });
    const depth = Math.max(0, ...depths);
    known.set(set, depth);
    return depth;
  };
  return measure(root);
}
