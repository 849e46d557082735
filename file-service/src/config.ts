/** Configuration of a file service: environment over a YAML file over defaults. */
import { assertSecureListening } from '@rhizome/authz';
import { type DeepReadonly, loadConfig, type Setting, settingsOf, tlsSettings, z } from '@rhizome/config';

const schema = z.strictObject({
  /** Folder with the files; created if there is none. */
  folder: z.string().min(1),
  /**
   * File with the keys of signed addresses, one a line, 32 bytes in base64; the first one signs, all are
   * accepted. Created with mode 0600 if there is none, and read again when it changes. Core has the same keys
   * in the credential of the storage.
   */
  keyFile: z.string().min(1),
  host: z.string().min(1).default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(4200),
  /** Certificate of the service; without it, it speaks plain HTTP. */
  tls: tlsSettings.optional(),
  /** Permits plain HTTP outside this machine, as behind a proxy that ends TLS. */
  insecureTransport: z.boolean().default(false),
  /** Transfers at the same time; further ones get status 503. */
  transfers: z.int().min(1).max(100_000).default(256),
  /** Bytes a second of all transfers together; unlimited unless given. */
  bytesPerSecond: z.int().min(65_536).optional(),
  /** Largest size of a file. */
  largestFileBytes: z
    .int()
    .min(1)
    .default(5 * 2 ** 40),
  /** Space that uploads leave free on the file system. */
  reserveBytes: z
    .int()
    .min(0)
    .default(2 ** 30),
  /** Seconds without any data after which a transfer ends. */
  idleSeconds: z.int().min(1).max(3600).default(60),
  /** Origins of web pages that may read files, such as the dashboard. */
  origins: z.array(z.url()).max(100).default([]),
  /** Serves `/metrics` without a token. */
  openMetrics: z.boolean().default(false),
  /** File with the bearer token for `/metrics`. */
  metricsTokenFile: z.string().min(1).optional(),
  /** Time for running transfers to end after SIGTERM. */
  drainSeconds: z.int().min(1).max(3600).default(60),
  logLevel: z.enum(['error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** Configuration of a file service. */
export type FileServiceConfig = DeepReadonly<z.output<typeof schema>>;

const prefix = 'RHIZOME_STORAGE_';

/** Settings, for the reference page. */
export const settings: readonly Setting[] = settingsOf(schema, prefix);

/**
 * Reads the configuration. Variables begin with `RHIZOME_STORAGE_`, and `RHIZOME_STORAGE_CONFIG` names the
 * YAML file.
 * @throws DomainError CONFIG_INVALID with all errors
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): FileServiceConfig {
  const { RHIZOME_STORAGE_CONFIG: file, ...variables } = env;
  const config = loadConfig({ schema, env: variables, prefix, ...(file ? { file } : {}) });
  assertSecureListening(config);
  return config;
}
