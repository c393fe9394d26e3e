# cmake -DFILES=a;b -DOUTPUT=x.c -P embed.cmake: the files as byte arrays and a table of them.
set(bodies "")
set(rows "")
list(SORT FILES)
foreach(file IN LISTS FILES)
  cmake_path(GET file STEM LAST_ONLY name)
  string(MAKE_C_IDENTIFIER ${name} id)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND bodies "static const unsigned char file_${id}[] = {${bytes}0};\n")
  string(APPEND rows "\t{\"${name}\", file_${id}, sizeof(file_${id}) - 1},\n")
endforeach()
file(WRITE ${OUTPUT}
  "#include \"embedded_priv.h\"\n\n${bodies}\nconst struct embedded embedded_files[] = {\n"
  "${rows}\t{NULL, NULL, 0},\n};\n")
