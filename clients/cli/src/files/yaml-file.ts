/** YAML files of commands, with errors that name the path, the value and what would be valid. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type * as YamlLibrary from 'yaml';
import type { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.js';

/** The YAML library, loaded when it is first needed: most commands read no file, and start sooner. */
export const yamlLibrary = (): typeof YamlLibrary =>
  createRequire(import.meta.url)('yaml') as typeof YamlLibrary;

/**
 * Reads and validates a file.
 * @param kind what the file describes, for the message
 * @throws CliError that lists every error with its path
 */
export function readYamlFile<Schema extends z.ZodType>(
  path: string,
  cwd: string,
  schema: Schema,
  kind: string,
): z.infer<Schema> {
  return validYaml(readText(path, cwd), path, schema, kind);
}

/**
 * Validates the text of a file.
 * @param kind what the file describes, for the message
 * @throws CliError that lists every error with its path
 */
export function validYaml<Schema extends z.ZodType>(
  text: string,
  path: string,
  schema: Schema,
  kind: string,
): z.infer<Schema> {
  const document = parsed(text, path);
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `  ${faultOf(issue, document)}`);
  throw new CliError(exitCodes.usage, `${path} is not a valid ${kind}:\n${faults.join('\n')}`);
}

function readText(path: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, path), 'utf8');
  } catch (error) {
    throw new CliError(
      exitCodes.usage,
      `${path} cannot be read: ${(error as Error).message.replace(/, open .*/, '')}`,
    );
  }
}

function parsed(text: string, path: string): unknown {
  const json = path.endsWith('.json') ? parsedJson(text) : undefined;
  if (json) return json.value;
  try {
    return yamlLibrary().parse(text);
  } catch (error) {
    const [fault = ''] = (error as Error).message.split('\n');
    throw new CliError(exitCodes.usage, `${path} is not YAML: ${fault.replace(/:$/, '')}`);
  }
}

/**
 * The value of a JSON text; undefined for another text. JSON is YAML, too, but the parser of YAML takes a
 * hundred times as long for a workflow of 20,000 nodes.
 */
function parsedJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** An error with its path, the value, and what would be valid. */
function faultOf(issue: z.core.$ZodIssue, document: unknown): string {
  const place = issue.path.join('.');
  const expected = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received \w+$/, '');
  if (issue.code === 'unrecognized_keys') return `${place || 'the whole'}: ${expected.toLowerCase()}`;
  const value = issue.path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined,
    document,
  );
  if (place === '') return `the whole: ${expected}`;
  return value === undefined
    ? `${place} is missing; ${expected}`
    : `${place} is ${JSON.stringify(value)}; ${expected}`;
}
