/** Starts each service for the playground and the tests: programs and settings. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCallSigner, type TokenIssuer } from '@rhizome/authz';
import { dashboardPages } from '@rhizome/dashboard';
import type { ExperimentManifest } from '@rhizome/schema/repository';
import type { ExecutionMode } from '@rhizome/subgraph';
import { callKeyFile } from '../stack/call-key-file.js';
import { isAuditOn } from '../config.js';
import { programOf } from '../root.js';
import { issuerConstraints } from '../stack/identities.js';
import { auditFolder, identityKeyFile } from '../stack/stack.js';
import { credentialFolder } from './file-service.js';
import { type Service, startService } from './service.js';

/** Options that all services share. */
export interface ServiceWorld {
  /** Folder for logs, and for files that services read. */
  readonly data: string;
  /** Connection string of the store. */
  readonly mongoUri: string;
  /** Issuer of the accepted tokens. */
  readonly issuer: TokenIssuer;
  /** Execution of operations in subgraphs; default `jit`. */
  readonly execution?: ExecutionMode;
  /**
   * Address of the first gateway. With it, the gateways have an identity store, and core asks them for the
   * rights of callers.
   */
  readonly gatewayUrl?: string | undefined;
  /** Settings by variable; they override the others. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a core process. `name` distinguishes several; `untilReady` says when it is ready. */
export async function startCore(world: ServiceWorld, { name = 'core', port = 0 } = {}): Promise<Service> {
  return start(world, name, '@rhizome/core', {
    RHIZOME_CORE_MONGO_URI: world.mongoUri,
    RHIZOME_CORE_PORT: String(port),
    RHIZOME_CORE_ADDRESS_FILE: addressFile(world, name),
    RHIZOME_CORE_GATEWAY_KEYS_JWKS_FILE: await gatewayKeysOf(world),
    RHIZOME_CORE_SECRETS_MASTER_KEY_FILE: join(world.data, 'secrets.keys'),
    RHIZOME_CORE_FILES_CREDENTIAL_FOLDER: credentialFolder(world.data),
    RHIZOME_CORE_DRAIN_SECONDS: '1',
    RHIZOME_CORE_EXECUTION: world.execution ?? 'jit',
    ...(world.gatewayUrl !== undefined && {
      RHIZOME_CORE_RIGHTS_URL: world.gatewayUrl,
      RHIZOME_CORE_RIGHTS_KEY_FILE: coreKeyFile(world),
    }),
  });
}

/** Options of an experiment's service. */
export interface ExperimentServiceOptions {
  readonly manifest: ExperimentManifest;
  /** HTTP address of the gateway, which may start later. */
  readonly gatewayUrl: string;
  /** Token of the experiment's service principal. */
  readonly token: string;
  readonly port?: number;
}

/** Starts an experiment's service. */
export async function startExperiment(
  world: ServiceWorld,
  options: ExperimentServiceOptions,
): Promise<Service> {
  const { manifest, gatewayUrl, token, port = 0 } = options;
  const prefix = `RHIZOME_${manifest.name.toUpperCase()}_`;
  const settings = {
    MONGO_URI: world.mongoUri,
    DATABASE: manifest.database,
    PORT: String(port),
    ADDRESS_FILE: addressFile(world, manifest.name),
    GATEWAY_KEYS_JWKS_FILE: await gatewayKeysOf(world),
    DRAIN_SECONDS: '1',
    EXECUTION: world.execution ?? 'jit',
    GATEWAY_URL: gatewayUrl,
    TOKEN_FILE: privateFile(world.data, `${manifest.name}.token`, token),
  };
  const env = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`${prefix}${key}`, value]));
  return start(world, manifest.name, `@rhizome/${manifest.name}`, env);
}

/**
 * Starts a gateway on the schema registry of the store. `name` distinguishes several. @throws if the port is
 * in use
 */
export function startGateway(
  world: ServiceWorld,
  { name = 'gateway', port = 0 }: { readonly name?: string; readonly port?: number } = {},
): Promise<Service> {
  return start(world, name, '@rhizome/gateway', {
    RHIZOME_GATEWAY_MONGO_URI: world.mongoUri,
    RHIZOME_GATEWAY_PORT: String(port),
    RHIZOME_GATEWAY_ADDRESS_FILE: addressFile(world, name),
    RHIZOME_GATEWAY_ISSUERS: issuersOf(world),
    RHIZOME_GATEWAY_CALL_KEY_FILE: callKeyFile(world.data),
    RHIZOME_GATEWAY_DRAIN_MS: '1000',
    RHIZOME_GATEWAY_GRAPHIQL: 'true',
    RHIZOME_GATEWAY_DASHBOARD: dashboardPages,
    RHIZOME_GATEWAY_AUDIT_FOLDER: auditFolder(world.data),
    RHIZOME_GATEWAY_AUDIT_MODE: isAuditOn() ? 'on' : 'off',
    ...identitySettings(world),
  });
}

/** Settings of a gateway for its identity store. */
function identitySettings(world: ServiceWorld): Readonly<Record<string, string>> {
  // Without a store, pilots cannot enrol.
  if (world.gatewayUrl === undefined) return { RHIZOME_GATEWAY_ALLOW_QUEUE_TOKENS: 'true' };
  return {
    RHIZOME_GATEWAY_IDENTITY_ISSUER: new URL(world.gatewayUrl).origin,
    RHIZOME_GATEWAY_MCP_ENABLED: 'true',
    RHIZOME_GATEWAY_IDENTITY_KEY_FILE: identityKeyFile(world.data),
    // Core has written it by now: it is ready before a gateway starts.
    RHIZOME_GATEWAY_CORE_KEYS_JWKS_FILE: `${coreKeyFile(world)}.jwks`,
  };
}

/** Private key by which core asks gateways for rights; core writes the public one next to it. */
function coreKeyFile({ data }: ServiceWorld): string {
  return join(data, 'core-key.json');
}

/** File to which a service writes its address. */
function addressFile({ data }: ServiceWorld, name: string): string {
  return join(data, `${name}.address`);
}

function start(
  world: ServiceWorld,
  name: string,
  packageName: string,
  settings: Readonly<Record<string, string>>,
): Promise<Service> {
  const { data, env } = world;
  return startService({
    name,
    program: programOf(packageName),
    env: { ...settings, ...env },
    logFile: join(data, 'logs', `${name}.log`),
    addressFile: addressFile(world, name),
  });
}

function issuersOf({ data, issuer }: ServiceWorld): string {
  const jwksFile = privateFile(data, 'jwks.json', JSON.stringify(issuer.jwks(), null, 2));
  return JSON.stringify([{ issuer: issuer.issuer, jwksFile, ...issuerConstraints }]);
}

/** The keys of the gateways as a file, so that services can start before a gateway. */
async function gatewayKeysOf({ data }: ServiceWorld): Promise<string> {
  const calls = await createCallSigner({ keyFile: callKeyFile(data) });
  return privateFile(data, 'call-jwks.json', JSON.stringify(calls.jwks(), null, 2));
}

/** Writes a file that only its owner can read. @returns its path */
function privateFile(data: string, name: string, text: string): string {
  const path = join(data, name);
  // Services that start at the same time read some of these files; each sees a complete one, old or new.
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, `${text}\n`, { mode: 0o600 });
  renameSync(draft, path);
  return path;
}
