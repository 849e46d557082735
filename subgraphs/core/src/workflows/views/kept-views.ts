import { LRUCache } from 'lru-cache';

/** Workflow at a revision. */
interface Viewed {
  readonly _id: string;
  readonly revision: number;
}

/** Views of the latest workflows, each read once for a revision; one that was not read is read again. */
export class KeptViews<T extends object> {
  readonly #views: LRUCache<string, { readonly revision: number; readonly view: Promise<T> }>;

  /** @param max most workflows whose views are kept */
  constructor(max: number) {
    this.#views = new LRUCache({ max });
  }

  /** The view of a workflow, from memory or as `read` returns it. */
  of({ _id, revision }: Viewed, read: () => Promise<T>): Promise<T> {
    const known = this.#views.get(_id);
    if (known?.revision === revision) return known.view;
    const view = read();
    this.#views.set(_id, { revision, view });
    view.catch(() => this.#views.delete(_id));
    return view;
  }
}
