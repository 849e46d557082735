/**
 * The configuration of a process that serves an experiment: environment over a YAML file over defaults, as
 * core's.
 */
import { assertSecureListening, assertSecureTransport, gatewayKeySettings } from '@rhizome/authz';
import { type DeepReadonly, loadConfig, redact, tlsSettings, z } from '@rhizome/config';

/** Settings that differ between experiments. */
export interface ExperimentDefaults {
  /** As in the manifest; variables begin with `RHIZOME_<NAME>_`. */
  readonly name: string;
  /** As in the manifest. */
  readonly database: string;
  /** Port of the manifest's endpoint. */
  readonly port: number;
}

function schemaOf({ database, port }: ExperimentDefaults) {
  return z.strictObject({
    mongoUri: z
      .string()
      .regex(
        /^mongodb(\+srv)?:\/\//,
        'expected a connection string that begins with mongodb:// or mongodb+srv://',
      ),
    database: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'expected 1 to 63 letters, digits, "_", "-"')
      .default(database),
    host: z.string().min(1).default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(port),
    /** File that gets the GraphQL URL once the process listens. */
    addressFile: z.string().min(1).optional(),
    /** Certificate of the service; without it, it speaks plain HTTP. */
    tls: tlsSettings.optional(),
    /** Permits plain HTTP outside this machine, as behind a proxy that ends TLS. */
    insecureTransport: z.boolean().default(false),
    /** Core is reached through it. */
    gatewayUrl: z.url({ protocol: /^https?$/ }),
    /** A file with the token of the experiment's service principal; read again before each request. */
    tokenFile: z.string().min(1),
    /** Keys of the gateway, whose call tokens alone are accepted; default: from the gateway. */
    gatewayKeys: gatewayKeySettings.prefault({}),
    introspection: z.boolean().default(false),
    /** Execution of operations: compiled to code, or by graphql-js alone. */
    execution: z.enum(['jit', 'interpreted']).default('jit'),
    drainSeconds: z.int().min(1).max(600).default(10),
    logLevel: z.enum(['error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  });
}

/** The configuration of an experiment's process. */
export type ExperimentConfig = DeepReadonly<z.output<ReturnType<typeof schemaOf>>>;

const secrets = ['mongoUri'];

/**
 * Reads the configuration; variables begin with `RHIZOME_<NAME>_`, and `RHIZOME_<NAME>_CONFIG` names the YAML
 * file.
 * @throws DomainError CONFIG_INVALID with every fault
 */
export function loadExperimentConfig(
  defaults: ExperimentDefaults,
  env: Readonly<Record<string, string | undefined>>,
): ExperimentConfig {
  const prefix = `RHIZOME_${defaults.name.toUpperCase()}_`;
  const { [`${prefix}CONFIG`]: file, ...variables } = env;
  const config = loadConfig({
    schema: schemaOf(defaults),
    env: variables,
    prefix,
    secrets,
    ...(file ? { file } : {}),
  });
  assertSecureListening(config);
  const { gatewayUrl, insecureTransport } = config;
  assertSecureTransport(gatewayUrl, { field: 'gatewayUrl', insecureTransport });
  return config;
}

/** The configuration for a log line. */
export function shownConfig(config: ExperimentConfig): Record<string, unknown> {
  return redact(config, secrets);
}
