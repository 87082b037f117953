// Places that few look at first come when they are asked for: the first look loads little.
import { Component, type ComponentType, lazy, type ReactNode, Suspense } from "react";

/** A component of a module that is loaded when it is first shown. */
export function late<Props extends object>(load: () => Promise<ComponentType<Props>>) {
  return lazy(async () => ({ default: await load() }));
}

/** Waits for what comes late; says so where it does not come, or where showing it failed. `spot`: another one is another try. */
export function Late({ spot, children }: { spot: string; children: ReactNode }) {
  return (
    <Held key={spot}>
      <Suspense fallback={<p className="quiet loading">Reading…</p>}>{children}</Suspense>
    </Held>
  );
}

class Held extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <main>
        <div role="alert" className="note error">
          <p>This place could not be shown: {error.message} The server may have been updated meanwhile: reload the page.</p>
          <button type="button" onClick={() => window.location.reload()}>Reload</button>
        </div>
      </main>
    );
  }
}
