/** Everything that the system answered, and the secrets that must not be in it. */

/** A planted secret, and where it was found. */
export interface Leak {
  readonly kind: string;
  readonly at: string;
}

/** Collects answers, and searches texts for planted secrets. */
export class Evidence {
  readonly #secrets = new Map<string, string>();
  readonly #answers: { readonly name: string; readonly text: string }[] = [];

  /** Registers secrets. Of a token the signature counts: its claims are no secret. */
  plant(kind: string, secrets: readonly string[]): void {
    for (const secret of secrets) {
      const [, , signature] = secret.split('.');
      this.#secrets.set(signature ?? secret, kind);
    }
  }

  /** The secrets of a kind. */
  secrets(kind: string): readonly string[] {
    return [...this.#secrets].flatMap(([secret, of]) => (of === kind ? [secret] : []));
  }

  /** Keeps an answer of the case with this name. */
  keep(name: string, text: string): void {
    this.#answers.push({ name, text });
  }

  /** Secrets in the kept answers: no case asks for what its caller may read. */
  inAnswers(): readonly Leak[] {
    return this.#answers.flatMap(({ name, text }) => this.in(text, name));
  }

  /** Secrets in a text. */
  in(text: string, at: string, kinds?: readonly string[]): readonly Leak[] {
    return [...this.#secrets].flatMap(([secret, kind]) =>
      (kinds?.includes(kind) ?? true) && text.includes(secret) ? [{ kind, at }] : [],
    );
  }
}
