/** The types of test databases. */
import type { connectMongo } from '@rhizome/mongo';

/** A connected client of the driver. */
export type TestClient = Awaited<ReturnType<typeof connectMongo>>;

/** A database of the driver. */
export type TestDatabase = ReturnType<TestClient['db']>;
