/** What of Microsoft's Debug Adapter Protocol (DAP) more than one file here needs. */
export type Arguments = Readonly<Record<string, unknown>>;

/** The content of a `debug_event`. */
export interface DebugEvent {
  readonly type: 'event';
  readonly seq: number;
  readonly event: string;
  readonly body: object;
}

/** A value as front ends list it. They show a type in place of the value, so there is none. */
export interface Variable {
  readonly name: string;
  readonly value: string;
  /** What to ask for its parts by; 0 for one that has none. */
  readonly variablesReference: number;
}

/** A breakpoint as clients ask for it. */
export interface Breakpoint {
  /** From 1 on. */
  readonly line: number;
  /** Stops only where this is true. */
  readonly condition?: string;
}
