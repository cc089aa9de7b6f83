/// The version of torpor: of the command, of /init, and in every image that they write.
public let torporVersion = "0.2.0"
