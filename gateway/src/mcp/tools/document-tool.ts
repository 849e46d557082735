/** Tools of the gateway that run one fixed operation. */
import { type DocumentNode, type GraphQLSchema, parse, validate } from 'graphql';
import type { JsonSchema } from '@rhizome/schema/agent-operations';
import { answerResult, errorResult } from '../results/tool-result.js';
import type { TextPaths } from '../results/render.js';
import { givenInputs, readOnly, type Tool } from './tool.js';

/** A tool with its operation. */
export interface DocumentTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly query: string;
  /** Variables of the operation; default: the inputs. */
  readonly variables?: (inputs: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  readonly paths: TextPaths;
  readonly annotations?: Readonly<Record<string, boolean>>;
  readonly isFor: Tool['isFor'];
}

const parsed = new Map<string, DocumentNode>();

/** True if the schema has all that an operation of the gateway selects. */
export function fits(schema: GraphQLSchema, query: string): boolean {
  let document = parsed.get(query);
  if (!document) parsed.set(query, (document = parse(query)));
  return validate(schema, document).length === 0;
}

/** The tool; undefined for a graph without what it reads. */
export function documentTool(schema: GraphQLSchema, tool: DocumentTool): Tool | undefined {
  const { name, title, description, inputSchema, query, variables = (inputs) => inputs, paths, isFor } = tool;
  if (!fits(schema, query)) return undefined;
  const { annotations = readOnly } = tool;
  const definition = { name, title, description, inputSchema, annotations };
  return {
    definition,
    isFor,
    call: async (given, call) => {
      const inputs = givenInputs(given, definition);
      if (typeof inputs === 'string') return errorResult(inputs);
      return answerResult(await call.run({ tool: name, query, variables: variables(inputs) }), paths);
    },
  };
}
