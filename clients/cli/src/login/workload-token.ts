/** Tokens that CI services give their jobs: no secret is stored. */
import { CliError, exitCodes } from '../exit-codes.js';

/** CI services. */
export const workloadKinds = ['github', 'gitlab'] as const;

/** A CI service and its token. */
export interface Workload {
  readonly kind: (typeof workloadKinds)[number];
  /** The `aud` of the token. */
  readonly audience: string;
  /** Variable in which a job of GitLab has the token. */
  readonly variable: string;
}

/** Variable that jobs of GitLab declare under `id_tokens` unless another one is named. */
export const defaultTokenVariable = 'RHIZOME_ID_TOKEN';
const timeoutMs = 20_000;

/** A token of this job. @throws CliError outside of such a job */
export function workloadToken(
  { kind, audience, variable }: Workload,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> {
  if (kind === 'github') return fromGithub(audience, env, signal);
  const token = env[variable]?.trim();
  if (token) return Promise.resolve(token);
  const text = `${variable} is not set; declare it under id_tokens of the job, with aud: ${audience}`;
  throw new CliError(exitCodes.denied, text);
}

async function fromGithub(audience: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = env;
  if (!address || !token) {
    const text = 'ACTIONS_ID_TOKEN_REQUEST_URL is not set; give the job "permissions: id-token: write"';
    throw new CliError(exitCodes.denied, text);
  }
  const url = new URL(address);
  url.searchParams.set('audience', audience);
  try {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      redirect: 'error',
    });
    const { value } = (await response.json()) as { readonly value?: unknown };
    if (typeof value === 'string') return value;
    throw new CliError(exitCodes.denied, `GitHub gave no token (status ${response.status})`);
  } catch (error) {
    if (signal.aborted || error instanceof CliError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(exitCodes.unavailable, `${url.origin} cannot be reached: ${why}`);
  }
}
