/** What is read. */
export interface ReadRequest<TProjection> {
  readonly ids: readonly string[];
  readonly projection: TProjection;
}

/** How {@link GroupedReads} is made. */
export interface GroupedReadsOptions<T extends { readonly _id: string }, TProjection> {
  /** Reads documents by id, in no order; those that do not exist are missing. Ids are distinct. */
  readonly read: (request: ReadRequest<TProjection>) => Promise<readonly T[]>;
  /** Equal for projections that may share a query. */
  readonly keyOf: (projection: TProjection) => string;
  /** Queries under way at once; 4 unless given. */
  readonly atOnce?: number;
  /** Ids in one query at most. A request for more goes alone. */
  readonly most: number;
}

interface Waiting<T> {
  readonly ids: readonly string[];
  readonly resolve: (found: readonly T[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Group<T, TProjection> {
  readonly projection: TProjection;
  readonly waiting: Waiting<T>[];
  size: number;
}

/**
 * Reads by id, of many callers by one query: what is asked for in one turn of the event loop goes together, and while as many queries are
 * under way as may be, what comes joins the next. A grant of a group of jobs is followed at once by as many reads as there were callers; a
 * query for each costs far more than its documents. A query begins after the call that it answers: nothing older is answered.
 */
export class GroupedReads<T extends { readonly _id: string }, TProjection> {
  readonly #options: GroupedReadsOptions<T, TProjection>;
  readonly #atOnce: number;
  readonly #open = new Map<string, Group<T, TProjection>>();
  #reading = 0;
  #isFlushDue = false;

  constructor(options: GroupedReadsOptions<T, TProjection>) {
    this.#options = options;
    this.#atOnce = options.atOnce ?? 4;
  }

  /** Documents of these ids, in no order; those that do not exist are missing. Callers may be given the same documents. */
  find({ ids, projection }: ReadRequest<TProjection>): Promise<readonly T[]> {
    const { read, keyOf, most } = this.#options;
    if (ids.length === 0) return Promise.resolve([]);
    if (ids.length >= most) return read({ ids, projection });
    return new Promise((resolve, reject) => {
      const key = keyOf(projection);
      const known = this.#open.get(key);
      const hasSpace = known !== undefined && known.size + ids.length <= most;
      // A full group is begun now, one query more than may be: it must not wait behind its successor.
      if (known && !hasSpace) this.#begin(key, known);
      const group = known && hasSpace ? known : { projection, waiting: [], size: 0 };
      this.#open.set(key, group);
      group.waiting.push({ ids, resolve, reject });
      group.size += ids.length;
      this.#flushSoon();
    });
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#reading >= this.#atOnce) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      for (const [key, group] of this.#open) {
        if (this.#reading >= this.#atOnce) break;
        this.#begin(key, group);
      }
    });
  }

  #begin(key: string, group: Group<T, TProjection>): void {
    this.#open.delete(key);
    this.#reading += 1;
    void this.#read(group).finally(() => {
      this.#reading -= 1;
      if (this.#open.size > 0) this.#flushSoon();
    });
  }

  async #read({ projection, waiting }: Group<T, TProjection>): Promise<void> {
    const ids = [...new Set(waiting.flatMap((one) => one.ids))];
    try {
      const found = await this.#options.read({ ids, projection });
      const [only] = waiting;
      if (only && waiting.length === 1) return only.resolve(found);
      const byId = new Map(found.map((document) => [document._id, document]));
      for (const one of waiting) one.resolve(one.ids.flatMap((id) => byId.get(id) ?? []));
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
