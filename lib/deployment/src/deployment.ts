/** Connection to the databases of a deployment, for its operator. */
import { connectMongo } from '@rhizome/mongo';
import type { MongoClient } from 'mongodb';
import { type Backup, backUp, type BackupOptions } from './backup/backup.js';
import { deploymentDatabases } from './backup/databases.js';
import { restore, type RestoredDatabase, type RestoreOptions } from './backup/restore.js';
import { type CheckRow, runChecks } from './check/check.types.js';
import { databaseChecks, migrationStatus } from './check/database-checks.js';
import { keyChecks } from './check/key-checks.js';
import { serverChecks } from './check/server-checks.js';
import { userChecks } from './check/user-checks.js';
import { initUsers, type InitOptions, type ServiceUser } from './users/init-users.js';

const appName = 'rhizome-admin';
const readRights =
  'use a user with the roles clusterMonitor, readAnyDatabase, userAdminAnyDatabase and read on local, or root';

/** Migrations of a database. */
export interface DatabaseMigrations {
  readonly database: string;
  /** Ids, in order. */
  readonly applied: readonly string[];
  /** Declared by the newest service that has started, and not applied. */
  readonly pending: readonly string[];
  /** Process that runs them now: host, process id and a number. */
  readonly runBy: string | null;
}

/** A connection; close it. */
export class Deployment {
  readonly #client: MongoClient;

  constructor(client: MongoClient) {
    this.#client = client;
  }

  /** Writes a backup. @see backUp */
  backUp(options: Omit<BackupOptions, 'client'>): Promise<Backup> {
    return backUp({ client: this.#client, ...options });
  }

  /** Restores a backup. @see restore */
  restore(options: Omit<RestoreOptions, 'client'>): Promise<readonly RestoredDatabase[]> {
    return restore({ client: this.#client, ...options });
  }

  /**
   * Checks the servers, the databases and their users.
   * @param now time of this host, in milliseconds
   */
  async check(wanted: readonly string[] | undefined, now: () => number): Promise<readonly CheckRow[]> {
    const client = this.#client;
    const server = await runChecks('mongodb', serverChecks(client, now), readRights);
    let databases: readonly string[];
    try {
      databases = await deploymentDatabases(client, wanted);
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      const cure = 'start core and the gateway once, or name the databases with --database';
      return [...server, { part: 'mongodb', check: 'databases', state: 'FAIL', found, cure }];
    }
    const users = await runChecks('mongodb', userChecks(client, databases), readRights);
    const each: (readonly CheckRow[])[] = [];
    for (const name of databases)
      each.push(await runChecks(name, databaseChecks(client.db(name)), readRights));
    return [...server, ...users, ...each.flat()];
  }

  /** State of the migrations of each database; services run them when they start. */
  async migrations(wanted: readonly string[] | undefined): Promise<readonly DatabaseMigrations[]> {
    const databases = await deploymentDatabases(this.#client, wanted);
    return Promise.all(
      databases.map(async (database) => {
        const { applied, pending, lock } = await migrationStatus(this.#client.db(database));
        return { database, applied, pending, runBy: lock?.owner ?? null };
      }),
    );
  }

  /** Makes the users of services, and the files with their connection strings. @see initUsers */
  initUsers(options: Omit<InitOptions, 'client'>): Promise<readonly ServiceUser[]> {
    return initUsers({ client: this.#client, ...options });
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** Connects. @throws DomainError SERVICE_UNAVAILABLE, CONFIG_INVALID */
export async function openDeployment(uri: string): Promise<Deployment> {
  return new Deployment(await connectMongo({ uri, appName }));
}

/** Checks a folder with keys. @param expected files that it must have */
export function checkKeys(folder: string, expected: readonly string[]): Promise<readonly CheckRow[]> {
  return runChecks('keys', keyChecks(folder, expected), 'check the path and the rights of the folder');
}
