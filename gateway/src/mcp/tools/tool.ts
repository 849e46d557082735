/** A tool of the MCP endpoint. */
import type { Principal } from '@rhizome/authz';
import type { JsonSchema } from '@rhizome/schema/agent-operations';
import type { McpCall } from '../call.js';
import type { ToolResult } from '../results/tool-result.js';

/** Description of a tool, as clients read it. */
export interface ToolDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly annotations: Readonly<Record<string, boolean>>;
}

/** Values that a client gives, by name. */
export type ToolArguments = Readonly<Record<string, unknown>>;

/** A tool. */
export interface Tool {
  readonly definition: ToolDefinition;
  /** True if the caller may see and call it; undefined stands for a caller without authentication. */
  isFor(principal: Principal | undefined): boolean;
  /** Rejects only with the reason that ended the call. */
  call(given: ToolArguments, call: McpCall): Promise<ToolResult>;
}

/** Largest number of entries of a list, as the schemas of inputs say. */
const mostEntries = 100;

/** Annotations of tools that change nothing, and whose answers come from this system only. */
export const readOnly = { readOnlyHint: true, openWorldHint: false } as const;

/** Inputs that are given and not null, or an error in words for unknown ones. */
export function givenInputs(
  given: ToolArguments,
  { inputSchema: { properties = {} } }: ToolDefinition,
): Record<string, unknown> | string {
  const known = Object.keys(properties as object);
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const names = unknown.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 60)));
    return `${names.join(', ')}: no such input; there ${known.length === 0 ? 'are none' : `are ${known.join(', ')}`}`;
  }
  const long = Object.entries(given).find(([, value]) => Array.isArray(value) && value.length > mostEntries);
  if (long) return `${long[0]}: too many entries; must be at most ${mostEntries}`;
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}
