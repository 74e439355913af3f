//! Link settings of the shared library.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        // The number is the ABI's: LB_ABI_VERSION.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,liblb_log.so.1");
        // A thread of ours may still run when a host program calls dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    } else if os == "macos" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/liblb_log.1.dylib");
    }
}
