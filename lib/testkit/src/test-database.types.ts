/** The types of test databases. */
import type { connectMongo } from '@rhizome/mongo';

/** A connected client of the driver. */
export type TestClient = Awaited<ReturnType<typeof connectMongo>>;

/** A database of the driver. */
export type TestDatabase = ReturnType<TestClient['db']>;

/** A command that the driver sends: the part of its event that tests look at. */
export interface CommandStarted {
  readonly databaseName: string;
  readonly commandName: string;
  readonly command: Readonly<Record<string, unknown>>;
}
