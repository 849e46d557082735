/** Projection of a read. */
export interface ReadRequest<TProjection> {
  readonly ids: readonly string[];
  readonly projection: TProjection;
}

/** Options of {@link GroupedReads}. */
export interface GroupedReadsOptions<T extends { readonly _id: string }, TProjection> {
  /** Reads documents by distinct ids, in no order; missing ones are left out. */
  readonly read: (request: ReadRequest<TProjection>) => Promise<readonly T[]>;
  /** Key that is equal for projections that may share a query. */
  readonly keyOf: (projection: TProjection) => string;
  /** Maximum number of concurrent queries; defaults to 4. */
  readonly atOnce?: number;
  /** Maximum number of ids per query. A larger request gets its own query. */
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
 * Reads documents by id, for many callers in one query. Requests of one event loop turn are combined; while
 * the maximum number of queries is in progress, further requests join the next query. A grant of a group of
 * jobs is followed at once by one read per caller, and a query for each costs far more than its documents. A
 * query starts after the calls that it answers, so no caller gets older data.
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

  /** Documents of these ids, in no order; missing ones are left out. Callers may share document objects. */
  find({ ids, projection }: ReadRequest<TProjection>): Promise<readonly T[]> {
    const { read, keyOf, most } = this.#options;
    if (ids.length === 0) return Promise.resolve([]);
    if (ids.length >= most) return read({ ids, projection });
    return new Promise((resolve, reject) => {
      const key = keyOf(projection);
      const known = this.#open.get(key);
      const hasSpace = known !== undefined && known.size + ids.length <= most;
      // A full group starts now, even beyond the limit: it must not wait behind its successor.
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
