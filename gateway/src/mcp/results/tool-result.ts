/** Results of tools, as the protocol sends them. */
import type { GraphQLFormattedError } from 'graphql';
import { printable, renderData, type TextPaths } from './render.js';
import { isPlain, UntrustedTexts } from './untrusted.js';

/** Result of a call. Errors of the domain are results as well: the model can act on them. */
export interface ToolResult {
  readonly content: { readonly type: 'text'; readonly text: string }[];
  readonly isError?: boolean;
}

/** Response of an operation. */
export interface GraphAnswer {
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly errors: readonly GraphQLFormattedError[];
}

/** A result with texts: what the services say, and what others have written. */
export function textResult(text: string, untrusted?: string): ToolResult {
  const content = [text, untrusted].filter((one) => one !== undefined && one !== '');
  return { content: content.map((one) => ({ type: 'text' as const, text: one ?? '' })) };
}

/** A result that says what is wrong, and what would be right. */
export function errorResult(text: string): ToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

/** The result of an operation: its data, and its errors in one line each. */
export function answerResult({ data, errors }: GraphAnswer, paths: TextPaths): ToolResult {
  const problems = errorLines(errors);
  if (data === null || (errors.length > 0 && Object.values(data).every((value) => value === null)))
    return { content: blocks(problems.text, problems.untrusted), isError: true };
  const { text, untrusted } = renderData(data, paths);
  if (errors.length === 0) return { content: blocks(text, untrusted) };
  return { content: [...blocks(`${problems.text}\n${text}`, untrusted), ...blocks('', problems.untrusted)] };
}

function blocks(...texts: (string | undefined)[]): ToolResult['content'] {
  return texts.flatMap((text) =>
    text === undefined || text === '' ? [] : [{ type: 'text' as const, text }],
  );
}

/** Errors shown of one answer. */
const mostErrors = 10;

/**
 * Errors in one line each: code, field, message. Without a field, the gateway has refused the operation, in
 * its own words; all other messages come from subgraphs, which choose their codes and quote texts of others.
 */
export function errorLines(errors: readonly GraphQLFormattedError[]): {
  readonly text: string;
  readonly untrusted: string | undefined;
} {
  const texts = new UntrustedTexts();
  const lines = errors.slice(0, mostErrors).map(({ message, path, extensions = {} }) => {
    const code = isPlain(String(extensions['code'])) ? String(extensions['code']) : 'ERROR';
    const at = path ? ` at ${path.filter((one) => isPlain(String(one))).join('.')}` : '';
    const isOwn = path === undefined && extensions['subgraph'] === undefined;
    const said = isOwn || isPlain(message) ? printable(message) : texts.add(message);
    return `${code}${at}: ${said}${waitOf(extensions)}`;
  });
  const more = errors.length > mostErrors ? [`and ${errors.length - mostErrors} further errors`] : [];
  return { text: [...lines, ...more].join('\n'), untrusted: texts.block() };
}

function waitOf({ retryAfterSeconds }: Readonly<Record<string, unknown>>): string {
  return typeof retryAfterSeconds === 'number' ? ` (retry after ${retryAfterSeconds} s)` : '';
}
