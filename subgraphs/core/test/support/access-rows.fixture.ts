/** For tests: each operation of core, and what each of several callers may do with it. */
import { fieldRows } from './access-field-rows.fixture.js';
import { mutationRows } from './access-mutation-rows.fixture.js';
import { queryRows } from './access-query-rows.fixture.js';
import type { Row } from './access-row.fixture.js';

/** All operations of core. */
export const rows: Readonly<Record<string, Row>> = { ...queryRows, ...mutationRows, ...fieldRows };
