import { isAbsolute } from 'node:path';
import { assertSecureTransport } from '@rhizome/authz';
import { type DeepReadonly, loadConfig, z } from '@rhizome/config';

const folder = z.string().refine(isAbsolute, 'expected an absolute path');

/** A pattern with a group `number`. */
const pattern = z.string().superRefine((text, context) => {
  const fault = faultOf(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

function faultOf(text: string): string | undefined {
  if (!text.includes('(?<number>'))
    return 'expected a group (?<number>…) that matches the number of the frame';
  try {
    new RegExp(text);
    return undefined;
  } catch {
    return 'expected a regular expression';
  }
}

const schema = z.strictObject({
  /** Folder that is watched, without its subfolders. */
  folder,
  runNumber: z.int().min(1),
  /** Form of the names of frames. Files with other names are left alone. */
  pattern: pattern.default('^(?!\\.).*?(?<number>\\d+)\\.stf$'),
  /**
   * `rename`: writers rename a file into place, so that one with such a name is complete. `marker`: it is
   * complete once there is a file with its name and `.done`, and its size is the same in two looks.
   */
  complete: z.enum(['rename', 'marker']).default('rename'),
  /** Precedes the name of a file in the location of its frame; by default the folder. */
  locationPrefix: z.string().min(1).max(700).optional(),
  /** Time between two looks at the whole folder: some file systems report no changes. */
  rescanSeconds: z.number().min(0.1).max(600).default(2),
  /** File with the numbers that were announced: one for each run, outside the folder. */
  journalFile: folder,
  gatewayUrl: z.url({ protocol: /^https?$/ }),
  /** A file with a token; read again before each request. */
  tokenFile: z.string().min(1),
  /** Permits plain HTTP outside this machine, as behind a proxy that ends TLS. */
  insecureTransport: z.boolean().default(false),
  logLevel: z.enum(['error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The configuration of the agent. */
export type WatchConfig = DeepReadonly<z.output<typeof schema>>;

/**
 * Reads the configuration from `RHIZOME_EPIC_WATCH_…`.
 * @throws DomainError CONFIG_INVALID with every fault
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): WatchConfig {
  const config = loadConfig({ schema, env, prefix: 'RHIZOME_EPIC_WATCH_', secrets: [] });
  const { gatewayUrl, insecureTransport } = config;
  assertSecureTransport(gatewayUrl, { field: 'gatewayUrl', insecureTransport });
  return config;
}
