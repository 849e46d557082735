import { join } from 'node:path';
import { type Clock, createIds, systemClock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { type AuditExport, type ExportSettings, openExports } from './export/open-exports.js';
import { HeadWriter } from './heads/head-writer.js';
import { openAuditKeys, temporaryDigestKey } from './heads/signing-key.js';
import { AuditLog } from './log/audit-log.js';
import type { AuditRepository } from './store/audit.repository.js';
import { openAuditStore } from './store/open.repository.js';

/** Settings of an audit log. */
export interface AuditSettings extends ExportSettings {
  readonly mongoUri: string;
  /** Name of the database; default `identity`. */
  readonly database?: string | undefined;
  /** Folder of signed heads, outside the store; undefined: no heads are written. */
  readonly folder?: string | undefined;
  /** File of the private key; default `key.json` in the folder. */
  readonly keyFile?: string | undefined;
  /** Days for which entries are kept; needs a folder. Default: without end. */
  readonly retentionDays?: number | undefined;
  /** Time that a call waits for its entry to be stored, in milliseconds; default 5,000. */
  readonly waitMs?: number | undefined;
}

/** The audit log of a process, on a connection of its own. */
export interface OpenedAudit {
  readonly log: AuditLog;
  readonly repository: AuditRepository;
  /** Key of the digests of arguments. */
  readonly digestKey: Uint8Array;
  /** Servers that get copies. */
  readonly exports: readonly Pick<AuditExport, 'name' | 'facts'>[];
  /** Stores and signs what is left, and closes the connection. */
  close(): Promise<void>;
}

/**
 * Opens the audit log.
 * @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached, CONFIG_INVALID for a wrong key
 */
export async function openAudit(
  settings: AuditSettings,
  { log, clock = systemClock }: { readonly log: Logger; readonly clock?: Clock },
): Promise<OpenedAudit> {
  const { mongoUri, database = 'identity', folder, retentionDays, waitMs } = settings;
  const keyFile = settings.keyFile ?? (folder === undefined ? undefined : join(folder, 'key.json'));
  const keys = keyFile === undefined ? undefined : await openAuditKeys(keyFile);
  const store = await openAuditStore(mongoUri, database, log);
  const { repository } = store;
  const heads =
    folder === undefined || keys === undefined
      ? undefined
      : (chain: string) => HeadWriter.open(folder, chain, keys);
  let opened: AuditLog | undefined;
  const onLost = (count: number): void => opened?.recordOwn('audit.exportLost', count);
  try {
    const exports = await openExports(settings, { log, onLost });
    const audit = (opened = await AuditLog.open({
      ...{ repository, clock, ids: createIds(clock), log, heads, retentionDays, waitMs },
      onStored: exports.length === 0 ? undefined : (batch) => exports.forEach((one) => one.send(batch)),
    }));
    const close = async (): Promise<void> => {
      await audit.close();
      await Promise.all(exports.map((one) => one.close()));
      await store.close();
    };
    return { log: audit, repository, digestKey: keys?.digest ?? temporaryDigestKey(), exports, close };
  } catch (error) {
    await store.close();
    throw error;
  }
}
