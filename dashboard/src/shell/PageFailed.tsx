import { Component, type ReactNode } from "react";

import { ErrorState } from "@/ui/states";

interface State {
  error: unknown;
}

/** A page that breaks must not take the way to the others with it. */
export class PageFailed extends Component<{ children: ReactNode }, State> {
  override state: State = { error: undefined };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    // After an update of the server, the parts that an open page asks for later are gone.
    return <ErrorState title="This page broke" error={this.state.error} onRetry={() => window.location.reload()} />;
  }
}
