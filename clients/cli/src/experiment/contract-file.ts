/**
 * `contract.yaml`: facts about an endpoint that the contract suite cannot discover, besides its address and
 * tokens.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { EndpointContract } from '@rhizome/conformance';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.js';
import { yamlLibrary } from '../files/yaml-file.js';

const values = z.record(z.string(), z.unknown());
const schema = z.strictObject({
  name: z.string().min(1),
  typePrefix: z.string().min(1),
  /** An operation that runs first; its result fills `{{alias.field}}` in the operations after it. */
  prepare: z.string().min(1).optional(),
  entities: z
    .record(
      z.string(),
      z.strictObject({ representations: z.array(values).min(1), selection: z.string().min(1).optional() }),
    )
    .default({}),
  subscriptions: z.record(z.string(), z.strictObject({ arguments: values.optional() })).default({}),
});

/** The content of a contract file. */
export type ContractFile = z.output<typeof schema>;

/**
 * Reads a contract file.
 * @throws CliError that lists every error with its path
 */
export function readContractFile(path: string): ContractFile {
  if (!existsSync(path))
    throw new CliError(exitCodes.usage, `Contract file ${path} not found; name it with --contract FILE`);
  let content: unknown;
  try {
    content = yamlLibrary().parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CliError(
      exitCodes.usage,
      `${path} is not valid YAML: ${error instanceof Error ? error.message : ''}`,
    );
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`);
  throw new CliError(exitCodes.usage, `${path} is invalid: ${faults.join('; ')}`);
}

/**
 * Runs `prepare` if there is one, and fills in its result.
 * @throws CliError if it is refused
 */
export async function prepared(
  file: ContractFile,
  url: string,
  token: string,
): Promise<Pick<EndpointContract, 'name' | 'entities' | 'subscriptions'>> {
  const answer = file.prepare === undefined ? {} : await run(url, token, file.prepare);
  const fill = <T>(value: T): T => filled(value, answer) as T;
  const { name, entities, subscriptions } = file;
  return { name, ...fill({ entities, subscriptions }) } as Pick<
    EndpointContract,
    'name' | 'entities' | 'subscriptions'
  >;
}

async function run(url: string, token: string, query: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  }).catch((error: unknown) => {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CliError(exitCodes.unavailable, `${url} cannot be reached: ${cause}`);
  });
  const text = await response.text();
  const body = readJson(text);
  if (body?.data && !body.errors?.length) return body.data;
  const reason = body?.errors?.map(({ message }) => message).join('; ') ?? text.slice(0, 200);
  throw new CliError(exitCodes.failed, `prepare: the endpoint answered ${response.status}: ${reason}`);
}

function readJson(
  text: string,
): { data?: Readonly<Record<string, unknown>>; errors?: readonly { message: string }[] } | undefined {
  try {
    return JSON.parse(text) as { data?: Readonly<Record<string, unknown>> };
  } catch {
    return undefined;
  }
}

/**
 * A value with each `{{path}}` in its texts replaced; a text that is a single path takes the value's type.
 */
function filled(value: unknown, answer: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => filled(one, answer));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, answer)]));
  if (typeof value !== 'string') return value;
  const [, whole] = /^\{\{([^{}]+)\}\}$/.exec(value) ?? [];
  if (whole !== undefined) return at(answer, whole);
  return value.replace(/\{\{([^{}]+)\}\}/g, (_, path: string) => String(at(answer, path)));
}

function at(answer: unknown, path: string): unknown {
  const found = path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | null | undefined)?.[key], answer);
  if (found !== undefined && found !== null) return found;
  throw new CliError(exitCodes.failed, `{{${path}}}: the result of prepare has no such value`);
}
