/** Real pilots of the queue `north`, each enrolled with a key of its own. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openProofKey, type ProofJwk, type ProofKey } from '@rhizome/client';
import { pilotProgram } from '@rhizome/pilot';
import { spawnProcess, type TestProcess } from '@rhizome/testkit';
import type { Api } from '../e2e/system/api.js';

/** The system at which pilots enrol. */
export interface EnrolmentSystem {
  readonly url: string;
  /** The folder with the files of the pilots. */
  readonly folder: string;
  /** As an administrator. */
  readonly api: Pick<Api, 'post'>;
}

/** The file with the credential of a pilot. */
export const credentialOf = ({ folder }: EnrolmentSystem, name: string): string =>
  join(folder, `${name}.json`);

/** Invites a worker. @returns the file with the code */
export async function invitation({ folder, api }: EnrolmentSystem): Promise<string> {
  const text = `mutation { inviteWorkers(input: { queue: "north", experiments: ["*"] }) { code userErrors { message } } }`;
  const answer = await api.post<{ inviteWorkers: { code: string | null } }>(text);
  const code = answer.data?.inviteWorkers.code;
  if (code == null) throw new Error(JSON.stringify(answer));
  const file = join(folder, `code-${code.slice(-8)}`);
  await writeFile(file, code, { mode: 0o600 });
  return file;
}

/** Runs `rhizome-pilot enrol`. */
export function enrol(system: EnrolmentSystem, name: string, args: readonly string[]): TestProcess {
  const file = credentialOf(system, name);
  const target = ['--url', system.url, '--queue', 'north', '--credential-file', file];
  return spawnProcess({
    name: `enrol ${name}`,
    command: 'node',
    args: [pilotProgram, 'enrol', ...target, ...args],
  });
}

/** A pilot, and the worker that it registered. */
export interface RunningPilot {
  readonly process: TestProcess;
  readonly workerId: string;
}

/** Starts the enrolled pilot of this name; resolves when its worker is registered. */
export async function startPilot(
  system: EnrolmentSystem,
  name: string,
  ...more: readonly string[]
): Promise<RunningPilot> {
  const { folder } = system;
  const scratch = ['--scratch', join(folder, `scratch-${name}`), '--store', join(folder, 'store')];
  const size = ['--name', name, '--cores', '1', '--memory-mib', '512', '--drain-seconds', '1'];
  const args = [pilotProgram, '--credential-file', credentialOf(system, name), ...scratch, ...size, ...more];
  const process = spawnProcess({ name, command: 'node', args });
  const [, workerId = ''] = await process.line(/"workerId":"([^"]+)".*"msg":"worker registered"/, 60_000);
  return { process, workerId };
}

/** A credential with its key. */
export interface Credential {
  readonly key: ProofKey;
  readonly token: string;
  /** Headers of a call, with a new proof. */
  headers(): Record<string, string>;
}

/** The present credential of a pilot, as a thief of its file has it. */
export async function stolen(system: EnrolmentSystem, name: string): Promise<Credential> {
  const { key: jwk, enrolmentId } = JSON.parse(await readFile(credentialOf(system, name), 'utf8')) as {
    key: ProofJwk;
    enrolmentId: string;
  };
  const { url } = system;
  const key = openProofKey(jwk);
  const address = new URL('/oauth/token', url).href;
  const form = { grant_type: 'urn:rhizome:params:oauth:grant-type:worker', enrolment_id: enrolmentId };
  const response = await fetch(address, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: { dpop: key.proof({ method: 'POST', url: address }) },
  });
  const { access_token: token } = (await response.json()) as { access_token: string };
  const headers = () => ({
    authorization: `DPoP ${token}`,
    dpop: key.proof({ method: 'POST', url, token }),
  });
  return { key, token, headers };
}
