import {
  assertSecureTransport,
  type CallSigner,
  callVerifierOf,
  coreIssuer,
  createCallSigner,
  defineActions,
  rightsAudience,
  trustedIssuers,
  type Verifier,
} from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import { createLogger, type Logger, logUnhandledRejections } from '@rhizome/log';
import { collectDefaultMetrics } from 'prom-client';
import type { TransportFactory } from '@rhizome/federation';
import { buildGateway, builtPages, type Gateway } from './app.js';
import type { GatewayOptions } from './gateway-options.js';
import { createGatewayVerifier } from './gateway-verifier.js';
import { type GatewayConfig, readCommandLine, readSupergraphFile } from './config.js';
import { serveGateway, type ServedGateway } from './serve.js';
import { SupergraphFile } from './supergraph-file.js';
import { isLoopback, readManifest } from './policy/index.js';
import { EndpointPolicy, overNetwork } from './transports/index.js';

async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2), process.env);
  if ('help' in command) {
    process.stdout.write(command.help);
    return;
  }
  const { config } = command;
  const log = createLogger({ name: 'gateway', level: config.logLevel });
  logUnhandledRejections(log);
  for (const [scope, roles] of Object.entries(config.scopes))
    defineActions(scope.slice(0, scope.indexOf(':')), { [scope]: roles });
  const [identity, calls, audit, agents] = await Promise.all([
    openedIdentity(config, log),
    createCallSigner({ keyFile: config.callKeyFile }),
    openedAudit(config, log),
    openedAgents(config, log),
  ]);
  const verifier = config.auth === 'off' ? undefined : verifierOf(config, identity);
  const options = {
    ...optionsOf(config, calls, log),
    verifier,
    identity,
    audit,
    agents,
    rightsReaders: rightsReadersOf(config),
    mcp: await mcpOf(config, identity),
  };
  const gateway = await buildGateway(options);
  collectDefaultMetrics({ register: gateway.metrics.registry });
  const { host, port, addressFile, tls } = config;
  const served = await serveGateway(gateway, { host, port, addressFile, tls });
  log.info({ url: served.url, subgraphs: gateway.subgraphs }, 'service started');
  process.stdout.write(`rhizome-gateway: ${served.url}\n`);
  reloadOnSignal(config, options, gateway, log);
  stopOnSignal(served, config, log, { identity, audit, agents });
}

/** The services of identity, if the gateway has a public address and a store for them. */
async function openedIdentity(
  { identity, mongoUri, audience }: GatewayConfig,
  log: Logger,
): Promise<GatewayOptions['identity']> {
  const { issuer, keyFile, mongoUri: own, ...rest } = identity;
  const uri = own ?? mongoUri;
  if (issuer === undefined || uri === undefined || keyFile === undefined) return undefined;
  const { openIdentity } = await import('@rhizome/identity');
  return openIdentity({ ...rest, mongoUri: uri, issuer, audience, keyFile, log });
}

/** The audit log, if the gateway has a store for it. */
async function openedAudit(
  { audit: { mode, ...settings }, mongoUri }: GatewayConfig,
  log: Logger,
): Promise<GatewayOptions['audit']> {
  const uri = settings.mongoUri ?? mongoUri;
  if (mode === 'off' || uri === undefined) return undefined;
  const { openAudit } = await import('@rhizome/audit');
  return openAudit({ ...settings, mongoUri: uri }, { log });
}

/** Proposals of agents, if the gateway has a store for them. */
async function openedAgents(
  { agents: { mode, ...settings }, mongoUri, database }: GatewayConfig,
  log: Logger,
): Promise<GatewayOptions['agents']> {
  const uri = settings.mongoUri ?? mongoUri;
  if (mode === 'off' || uri === undefined) return undefined;
  const { openAgents } = await import('@rhizome/agents');
  return openAgents({ database, ...set(settings), mongoUri: uri }, { log });
}

/** Reads the supergraph file again on SIGHUP and when it changes. A registry is followed anyway. */
function reloadOnSignal(
  { supergraph }: GatewayConfig,
  { supergraphSdl }: GatewayOptions,
  gateway: Gateway,
  log: Logger,
): void {
  const file =
    supergraph === undefined ? undefined : new SupergraphFile(supergraph, supergraphSdl ?? '', log);
  process.on('SIGHUP', () => {
    log.info({ supergraph }, file ? 'reload requested' : 'reload ignored: the schema registry is followed');
    void file?.reload();
  });
  file?.watch(gateway);
}

function optionsOf(config: GatewayConfig, calls: CallSigner, log: Logger): Omit<GatewayOptions, 'verifier'> {
  const { limits, introspection, openMetrics, uncodedMessages, trustedProxies, rates } = config;
  const { documentBytes, documentTokens, planTimeoutMs, subgraphTimeoutMs, ...gatewayLimits } = limits;
  const endpoints = endpointsOf(config);
  return {
    ...graphOf(config),
    concurrency: byName(config.subgraphs, ({ concurrency }) => concurrency),
    transports: configured(config, calls, endpoints),
    endpoints,
    calls,
    experiments: byName(config.subgraphs, ({ experiment }) => experiment),
    log,
    limits: set(gatewayLimits),
    engineLimits: {
      ...set({ documentBytes, documentTokens, planTimeoutMs, subgraphTimeoutMs }),
      subgraphTimeoutsMs: byName(config.subgraphs, ({ timeoutMs }) => timeoutMs),
    },
    trustedProxies,
    rates: ratesIn(rates),
    persistedOperations: persistedIn(config),
    introspection,
    openMetrics,
    isHttps: config.tls !== undefined || (config.identity.issuer?.startsWith('https:') ?? false),
    uncodedMessages,
    policies: config.policies,
    staticRoot: config.graphiql ? builtPages : undefined,
    dashboardRoot: config.dashboard,
    fileOrigins: config.fileOrigins,
  };
}

/** Accepts tokens of the configured issuers, and those of Rhizome's own issuer. */
function verifierOf(
  { issuers, audience, allowQueueTokens }: GatewayConfig,
  identity: GatewayOptions['identity'],
): Verifier {
  return createGatewayVerifier({ issuers: trustedIssuers(issuers), audience, identity, allowQueueTokens });
}

/** The settings of the endpoint for assistants; undefined if it is not enabled. */
async function mcpOf(
  { mcp, issuers, auth, identity: { issuer }, host, port }: GatewayConfig,
  identity: GatewayOptions['identity'],
): Promise<GatewayOptions['mcp']> {
  if (!mcp.enabled) return undefined;
  const { mcpSettings, readOperationFolders } = await import('./mcp/configured.js');
  const url = mcp.url ?? new URL('/mcp', issuer ?? `http://${host}:${port}`).href;
  const { origins, runQuery: runsQueries, operations } = mcp;
  const settings = { url, origins, runsQueries, operations: readOperationFolders(operations) };
  if (auth === 'off') return { ...settings, verifier: undefined };
  return mcpSettings({ ...settings, issuers: trustedIssuers(issuers), identity });
}

/** Accepts the tokens by which core asks for rights, if its keys are known. */
function rightsReadersOf({ coreKeys, identity }: GatewayConfig): Verifier | undefined {
  const { jwksUri, jwksFile } = coreKeys;
  if (identity.issuer === undefined || (jwksUri ?? jwksFile) === undefined) return undefined;
  return callVerifierOf(rightsAudience, { ...coreKeys, issuer: coreIssuer });
}

function graphOf({ supergraph, mongoUri, database }: GatewayConfig): Partial<GatewayOptions> {
  if (supergraph !== undefined) return { supergraphSdl: readSupergraphFile(supergraph) };
  return mongoUri === undefined ? {} : { registry: { mongoUri, database } };
}

/** The settings, with the operations of the manifests. */
function persistedIn({ persistedOperations }: GatewayConfig): GatewayOptions['persistedOperations'] {
  const { manifests, ...settings } = persistedOperations;
  const read = ({ file, client, only }: (typeof manifests)[number]) => ({
    client,
    only,
    operations: readManifest(file),
  });
  return { ...settings, manifests: manifests.map(read) };
}

/** The rates that are set. */
function ratesIn(rates: GatewayConfig['rates']): GatewayOptions['rates'] {
  if (rates === undefined || rates === 'off') return rates;
  return Object.fromEntries(Object.entries(rates).map(([caller, given]) => [caller, set(given ?? {})]));
}

/** One value for each subgraph that has it. */
function byName<T>(
  subgraphs: GatewayConfig['subgraphs'],
  read: (subgraph: GatewayConfig['subgraphs'][string]) => T | undefined,
): Record<string, T> {
  const found = Object.entries(subgraphs).flatMap(([name, subgraph]) => {
    const value = read(subgraph);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

/** The options that are set; defaults apply to the others. */
function set<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/**
 * Addresses in a supergraph file are the operator's own; those in the registry come from its callers. A
 * gateway that only this machine reaches may call this machine.
 */
function endpointsOf(config: GatewayConfig): EndpointPolicy | undefined {
  const { endpoints, host, supergraph, insecureTransport } = config;
  if (supergraph !== undefined) return undefined;
  return new EndpointPolicy(endpoints, { isLocal: isLoopback(host), insecureTransport });
}

function configured(
  { subgraphs, insecureTransport, supergraph }: GatewayConfig,
  calls: CallSigner,
  endpoints: EndpointPolicy | undefined,
): TransportFactory {
  return (subgraph, address) => {
    const { url = address, webSocketUrl } = subgraphs[subgraph] ?? {};
    // An address in the configuration or in a supergraph file is the operator's own.
    const isOwn = supergraph !== undefined || subgraphs[subgraph]?.url !== undefined;
    if (isOwn) assertSecureTransport(url, { field: `subgraphs.${subgraph}.url`, insecureTransport });
    return overNetwork(subgraph, { url, webSocketUrl, calls, endpoints: isOwn ? undefined : endpoints });
  };
}

/** A second signal ends the process at once. */
function stopOnSignal(
  served: ServedGateway,
  { drainMs }: GatewayConfig,
  log: Logger,
  { identity, audit, agents }: Pick<GatewayOptions, 'identity' | 'audit' | 'agents'>,
): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    log.info({ signal }, 'shutdown started');
    const closed = served.close(drainMs).then(async () => {
      await agents?.close();
      await identity?.close();
      await audit?.close();
    });
    closed.then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log.error({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  const text = isDomainError(error) ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`rhizome-gateway: ${text}\n`);
  process.exit(1);
});
