/** `rhizome-pilot enrol`: makes a key and enrols it in a queue. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assertSecureAddress } from '@rhizome/client';
import { Command } from 'commander';
import type { Credential } from './credential-file.js';
import { type EnrolledKey, enrolKey, type KeyEnrolment } from './enrol-key.js';
import { type EnrolmentAnswer, EnrolmentRefused, renew } from './enrolment-client.js';

interface EnrolFlags {
  readonly url: string;
  readonly queue: string;
  readonly insecureTransport?: boolean;
  readonly credentialFile: string;
  readonly code?: string;
  readonly codeFile?: string;
  readonly platformTokenFile?: string;
  readonly certificateFile?: string;
  readonly privateKeyFile?: string;
  readonly host: string;
  readonly wait: boolean;
}

/** Permits plain text also for the pilot itself. */
const variable = 'RHIZOME_PILOT_INSECURE_TRANSPORT';
/** Interval at which the command checks for a decision, in milliseconds. */
const pollMs = 5000;

/** Runs the command. @throws EnrolmentRefused, DomainError CONFIG_INVALID, Error */
export async function enrolCommand(
  argv: readonly string[],
  write: (line: string) => void,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const flags = readFlags(argv);
  // The code and the token of the platform must not cross a network in plain text.
  assertSecureAddress(flags.url, {
    isPermitted: flags.insecureTransport === true || env[variable] === 'true',
    permission: `--insecure-transport or ${variable}=true`,
  });
  const { credential, isPending } = await enrolKey(enrolmentOf(flags));
  const { enrolmentId } = credential;
  if (!isPending) return write(`Enrolled in queue ${flags.queue}; stored in ${flags.credentialFile}`);
  write(`Enrolment ${enrolmentId} waits for an administrator of queue ${flags.queue}.`);
  write(`Key: ${thumbprintOf(credential)}`);
  if (flags.wait) await untilDecided(credential, write);
}

function enrolmentOf(flags: EnrolFlags): KeyEnrolment {
  const { url, queue, host, credentialFile, platformTokenFile, certificateFile, privateKeyFile } = flags;
  const textOf = (file: string | undefined) => file && readFileSync(file, 'utf8').trim();
  const certFile = certificateFile && resolve(certificateFile);
  return {
    ...{ url, queue, host, credentialFile },
    code: textOf(flags.codeFile) ?? flags.code,
    platformToken: textOf(platformTokenFile),
    certificate: certFile ? { certFile, keyFile: resolve(privateKeyFile ?? certFile) } : undefined,
  };
}

async function untilDecided(
  credential: EnrolledKey['credential'],
  write: (line: string) => void,
): Promise<void> {
  const { url, queue, enrolmentId } = credential;
  for (;;) {
    await delay(pollMs);
    const answer: EnrolmentAnswer | undefined = await renew(url, credential, enrolmentId, false).catch(
      (error: unknown) => {
        if (error instanceof EnrolmentRefused) throw error;
        return undefined;
      },
    );
    if (answer?.token) return write(`Enrolled in queue ${queue}.`);
  }
}

/** The thumbprint that the gateway shows to an administrator. */
function thumbprintOf({ key, certificate }: Credential): string {
  if (key) return key.thumbprint;
  const hex = new X509Certificate(certificate?.cert ?? '').fingerprint256.replaceAll(':', '');
  return `x5t:${Buffer.from(hex, 'hex').toString('base64url')}`;
}

function readFlags(argv: readonly string[]): EnrolFlags {
  return new Command('rhizome-pilot enrol')
    .description('Makes a key and enrols it in a queue.')
    .requiredOption('--url <url>', 'URL of the gateway, such as https://host/graphql')
    .option('--insecure-transport', 'permit plain http: to a gateway on another host')
    .requiredOption('--queue <queue>', 'queue to serve')
    .requiredOption('--credential-file <file>', 'file for the key; made with mode 0600')
    .option(
      '--code <code>',
      'code of an invitation; other users of the host may see it, so prefer --code-file',
    )
    .option('--code-file <file>', 'file with the code of an invitation')
    .option(
      '--platform-token-file <file>',
      'file with a token of the platform, such as Kubernetes projects it',
    )
    .option(
      '--certificate-file <file>',
      'client certificate (PEM) to enrol instead of a key; the gateway must end TLS itself',
    )
    .option('--private-key-file <file>', 'private key of the certificate (default: in the same file)')
    .option('--host <name>', 'name of this host for an administrator', hostname())
    .option('--no-wait', 'end without waiting for a decision')
    .parse(argv, { from: 'user' })
    .opts<EnrolFlags>();
}
